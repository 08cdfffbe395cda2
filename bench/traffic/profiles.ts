import type { SyntheticTraffic } from "@eventlogger/traffic/load/syntheticMessages";

const MINUTE_MS = 60_000;

/** Time between the last event and the start of the benchmark, so that no event lies in the future. */
const AGE_MS = 10 * MINUTE_MS;

/** Shapes of traffic. */
export const PROFILE_NAMES = ["realistic", "anonymous", "new", "hours", "one-session"] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

interface Profile {
  /** For people; the number of events follows. */
  readonly describe: string;
  readonly shape: (count: number, activeUsers: number) => Omit<SyntheticTraffic, "count" | "startMs">;
}

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  realistic: {
    describe: "realistic traffic: sessions of 8 events",
    shape: (_, activeUsers) => ({ activeUsers, eventsPerSession: 8, stepMs: 0.25 }),
  },
  anonymous: {
    describe: "realistic traffic with anonymous ids on a third of the events",
    shape: (_, activeUsers) => ({ activeUsers, eventsPerSession: 8, stepMs: 0.25, hasAnonymousIds: true }),
  },
  new: {
    describe: "every event has a new user and a new session",
    shape: () => ({ activeUsers: 0, eventsPerSession: 1, stepMs: 0.25 }),
  },
  hours: {
    // Times between the events of a user vary: hardly any is longer than the session gap of 30 minutes.
    describe: "sessions that last for hours, with an event about every 5 minutes",
    shape: (count, activeUsers) => ({ activeUsers, eventsPerSession: count, stepMs: (5 * MINUTE_MS) / activeUsers }),
  },
  "one-session": {
    describe: "one user with one session",
    shape: (count) => ({ activeUsers: 1, eventsPerSession: count * 1000, stepMs: 10 }),
  },
};

/**
 * The traffic of a profile. It ends ten minutes before `nowMs`.
 * @param activeUsers users that are active at the same time; a profile may fix the number itself
 */
export function trafficOf(name: ProfileName, count: number, activeUsers: number, nowMs: number): SyntheticTraffic {
  const shape = PROFILES[name].shape(count, activeUsers);
  return { ...shape, count, startMs: Math.floor(nowMs - AGE_MS - count * shape.stepMs) };
}
