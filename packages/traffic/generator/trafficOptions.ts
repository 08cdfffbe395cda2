import { dayFromIso, dayOf } from "@eventlogger/events/day";

/** Options of generated traffic. Shares are from 0 to 1. */
export interface TrafficOptions {
  /** Number of events including repeated ones; Infinity, for live traffic only, never ends. @default 10000 */
  readonly count: number;
  /** Seed of the random numbers. @default 1 */
  readonly seed: number;
  /**
   * Epoch milliseconds; no event is later. A number spreads the events evenly over the `days` up to this time, in the order
   * of time except where the options below disturb it. A function gives live traffic: sessions end at the time they are
   * generated, and `days` is ignored. @default Date.now() at the start
   */
  readonly now: number | (() => number);
  /** Number of UTC days up to the day of `now`; each gets an equal share of the events. @default 1 */
  readonly days: number;
  /** Number of users. All appear if there are enough sessions, some far more often than others. @default 2000 */
  readonly users: number;
  /** Mean number of events per session; heavy-tailed: most sessions have fewer, some have very many. @default 8 */
  readonly eventsPerSession: number;
  /** The session gap of the pipeline, in milliseconds, on which the edge cases are based. @default 30 min */
  readonly gapMs: number;
  /** Share of sessions without a user. @default 0.1 */
  readonly anonymousShare: number;
  /** Share of events that repeat an earlier one byte for byte; at most 0.5. @default 0.05 */
  readonly duplicateShare: number;
  /** Share of events sent `lateBy` to twice as many events later than their session. @default 0.05 */
  readonly lateShare: number;
  /** Delay of late events and late repetitions, in events. @default 1000 */
  readonly lateBy: number;
  /** Share of sessions on one of `oldDays`. @default 0.02 */
  readonly oldShare: number;
  /** Dates (YYYY-MM-DD) of old sessions. @default ["2020-02-29"] */
  readonly oldDays: readonly string[];
  /** Share of sessions that cross midnight between two of the days (none if there is only one day). @default 0.03 */
  readonly midnightShare: number;
  /** Share of sessions that are two until a late event joins them. @default 0.03 */
  readonly bridgeShare: number;
  /** Share of sessions with two events exactly the gap apart or a millisecond less. @default 0.03 */
  readonly gapEdgeShare: number;
  /** Share of sessions with an anonymous id, before or beside a user id: see devices.ts. @default 0 */
  readonly anonymousIdShare: number;
  /** Share of the sessions of users with an anonymous id that are on a device which many users share. @default 0.1 */
  readonly sharedDeviceShare: number;
  /** Share of sessions of bots: see bots.ts. @default 0 */
  readonly botShare: number;
  /** Maximum delay by shuffling, in events; `count` shuffles all events. @default 200 */
  readonly shuffleWindow: number;
}

/**
 * Defaults of the options of anonymous ids and bots. With them, the traffic is that of earlier releases without these options, so that
 * benchmarks can be compared.
 */
export const PERSON_DEFAULTS = { anonymousIdShare: 0, sharedDeviceShare: 0.1, botShare: 0 };

/** The defaults of all options except `now`. */
export const TRAFFIC_DEFAULTS: Omit<TrafficOptions, "now"> = {
  count: 10_000,
  seed: 1,
  days: 1,
  users: 2000,
  eventsPerSession: 8,
  gapMs: 30 * 60_000,
  anonymousShare: 0.1,
  duplicateShare: 0.05,
  lateShare: 0.05,
  lateBy: 1000,
  oldShare: 0.02,
  oldDays: ["2020-02-29"],
  midnightShare: 0.03,
  bridgeShare: 0.03,
  gapEdgeShare: 0.03,
  ...PERSON_DEFAULTS,
  shuffleWindow: 200,
};

const SHARES = [
  "anonymousShare",
  "duplicateShare",
  "lateShare",
  "oldShare",
  "midnightShare",
  "bridgeShare",
  "gapEdgeShare",
  "anonymousIdShare",
  "sharedDeviceShare",
  "botShare",
] as const;

/** Minimum values of integers. gapMs: an event that joins two sessions needs room between them. */
const WHOLE = { seed: 0, days: 1, users: 1, gapMs: 4, lateBy: 0, shuffleWindow: 0 } as const;

/**
 * Fills in the defaults.
 * @throws RangeError with the name of the first invalid option
 */
export function trafficOptions(given: Partial<TrafficOptions> = {}): TrafficOptions {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const options: TrafficOptions = { ...TRAFFIC_DEFAULTS, now: Date.now(), ...set };
  const check = (name: keyof TrafficOptions, isValid: boolean, rule: string): void => {
    if (!isValid) throw new RangeError(`Traffic option ${name} must be ${rule}, not ${String(options[name])}`);
  };
  check("count", options.count === Infinity || Number.isSafeInteger(options.count), "a whole number or Infinity");
  check("count", options.count >= 0, "at least 0");
  check("count", options.count < Infinity || typeof options.now === "function", "finite unless `now` is a function");
  for (const [name, least] of Object.entries(WHOLE) as [keyof typeof WHOLE, number][]) {
    check(name, Number.isSafeInteger(options[name]) && options[name] >= least, `a whole number from ${least} on`);
  }
  check("eventsPerSession", options.eventsPerSession >= 1, "at least 1");
  for (const name of SHARES) check(name, options[name] >= 0 && options[name] <= 1, "a share from 0 to 1");
  check("duplicateShare", options.duplicateShare <= 0.5, "at most 0.5, as an event is repeated once");
  const edgeCases = options.midnightShare + options.bridgeShare + options.gapEdgeShare;
  check("midnightShare", edgeCases <= 1, "at most 1 together with bridgeShare and gapEdgeShare");
  const now = typeof options.now === "number" ? options.now : options.now();
  check("now", dayOf(now) >= options.days, "epoch milliseconds, at least `days` after 1970-01-01");
  const oldDays = options.oldDays.map(dayFromIso);
  const allPast = oldDays.every((day) => day !== undefined && day >= 0 && day < dayOf(now));
  check("oldDays", allPast, "dates written YYYY-MM-DD, from 1970 on and before the day of `now`");
  check("oldDays", options.oldShare === 0 || oldDays.length > 0, "at least one date, or oldShare 0");
  return options;
}
