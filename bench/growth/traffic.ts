import { dayOf, dayStart } from "@eventlogger/events/day";
import { dayDelta, type DayDelta } from "@eventlogger/events/totals/totals";
import { createRandom } from "@eventlogger/traffic/generator/random";
import type { SyntheticEvent } from "@eventlogger/traffic/load/syntheticMessages";
import { expectedTotals } from "../traffic/expectedTotals";

/**
 * Traffic of three days. On the first one, each known user has one event. The other two have the same traffic whatever the
 * number of known users: sessions of 8 events of the same number of users, who are spread over all known ones.
 */
export interface GrowthTraffic {
  /** Number of known users; at least {@link RETURNING_USERS}. */
  readonly known: number;
  /** Number of events of each of the two other days. */
  readonly events: number;
  /** Number of sessions that are open at the same time. */
  readonly openSessions: number;
  /** The last of the three days is the one before this time; epoch ms. */
  readonly nowMs: number;
}

/** Number of known users who return on each of the two other days. */
export const RETURNING_USERS = 10_000;
export type ReturningDay = "warm-up" | "measured";

const EVENTS_PER_SESSION = 8;
const STEP_MS = 0.25;
const HOUR_MS = 3_600_000;
/** Days before today. */
const DAYS_AGO = { known: 3, "warm-up": 2, measured: 1 } as const;

function startOf({ nowMs }: GrowthTraffic, day: keyof typeof DAYS_AGO): number {
  return dayStart(dayOf(nowMs) - DAYS_AGO[day]) + HOUR_MS;
}

/** One event of each known user, in a session of its own. */
export function* eventsOfKnownUsers(traffic: GrowthTraffic): Generator<SyntheticEvent> {
  const { known } = traffic;
  const start = startOf(traffic, "known");
  for (let index = 0; index < known; index++) {
    // All within 20 hours.
    const eventTime = start + Math.floor((index / known) * 20 * HOUR_MS);
    yield { index, userId: `user-${index}`, sessionId: `first-${index}`, eventTime };
  }
}

/** The events of a day on which known users return. */
export function* eventsOfReturningUsers(traffic: GrowthTraffic, day: ReturningDay): Generator<SyntheticEvent> {
  const { known, events, openSessions } = traffic;
  const start = startOf(traffic, day);
  const random = createRandom(1);
  const newUser = (): string => `user-${Math.floor((random.int(RETURNING_USERS) * known) / RETURNING_USERS)}`;
  const sessions = Array.from({ length: openSessions }, () => ({ userId: newUser(), number: 0 }));
  const first = known + (day === "measured" ? events : 0);
  for (let i = 0; i < events; i++) {
    const place = random.int(openSessions);
    const session = sessions[place] as { userId: string; number: number };
    if (random.chance(1 / EVENTS_PER_SESSION)) {
      session.userId = newUser();
      session.number++;
    }
    yield {
      index: first + i,
      userId: session.userId,
      sessionId: `${day}-${place}-${session.number}`,
      eventTime: Math.floor(start + i * STEP_MS),
    };
  }
}

/** The totals of the first day, by construction. */
export function totalsOfKnownUsers(traffic: GrowthTraffic): DayDelta[] {
  const { known } = traffic;
  const day = dayOf(startOf(traffic, "known"));
  return [dayDelta(day, { sessions: known, activeUsers: known, newUsers: known })];
}

/** The totals of a day on which known users return: nobody is new. */
export function totalsOfReturningUsers(traffic: GrowthTraffic, day: ReturningDay): DayDelta[] {
  return expectedTotals(eventsOfReturningUsers(traffic, day)).map((totals) => ({ ...totals, newUsers: 0 }));
}
