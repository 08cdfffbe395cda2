import { dayFromIso, dayOf } from "@eventlogger/events/day";

/** What synthetic traffic looks like. Shares are from 0 to 1. */
export interface TrafficOptions {
  /** Number of events, repeated ones included; Infinity (live traffic only) never ends. @default 10000 */
  readonly count: number;
  /** Same options, same traffic. @default 1 */
  readonly seed: number;
  /**
   * Epoch milliseconds; no event is later. A number: events are spread evenly over the `days` up to this moment, in the
   * order of time apart from what the options below disturb. A function: live traffic, sessions end at the moment they
   * are made; `days` is not used. @default Date.now() at the start
   */
  readonly now: number | (() => number);
  /** Number of UTC days up to the day of `now`; each gets an equal part of the events. @default 1 */
  readonly days: number;
  /** Size of the population. All of it turns up when there are enough sessions, some far more often. @default 2000 */
  readonly users: number;
  /** Mean number of events a session; heavy-tailed: most have fewer, some have very many. @default 8 */
  readonly eventsPerSession: number;
  /** The session gap of the pipeline, in milliseconds: what the awkward sessions are measured by. @default 30 min */
  readonly gapMs: number;
  /** Share of sessions without a user. @default 0.1 */
  readonly anonymousShare: number;
  /** Share of events that repeat an earlier one, identical in every byte; at most 0.5. @default 0.05 */
  readonly duplicateShare: number;
  /** Share of events sent `lateBy` to twice as many events later than their session. @default 0.05 */
  readonly lateShare: number;
  /** How late late events and late repetitions are, in events. @default 1000 */
  readonly lateBy: number;
  /** Share of sessions on one of `oldDays`. @default 0.02 */
  readonly oldShare: number;
  /** Dates (YYYY-MM-DD) that old sessions fall on. @default ["2020-02-29"] */
  readonly oldDays: readonly string[];
  /** Share of sessions that cross midnight between two of the days (none when there is one day only). @default 0.03 */
  readonly midnightShare: number;
  /** Share of sessions that are two, until a late event joins them. @default 0.03 */
  readonly bridgeShare: number;
  /** Share of sessions with two events exactly the gap apart, or a millisecond less. @default 0.03 */
  readonly gapEdgeShare: number;
  /** Each event is sent up to this many events later than in order; `count` mixes everything. @default 200 */
  readonly shuffleWindow: number;
}

/** The defaults of all options but `now`. */
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
] as const;

/** Least values of whole numbers. gapMs: a bridge needs room between two gaps. */
const WHOLE = { seed: 0, days: 1, users: 1, gapMs: 4, lateBy: 0, shuffleWindow: 0 } as const;

/**
 * The options with defaults filled in.
 * @throws RangeError that names the first option that is wrong
 */
export function trafficOptions(given: Partial<TrafficOptions> = {}): TrafficOptions {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const options: TrafficOptions = { ...TRAFFIC_DEFAULTS, now: Date.now(), ...set };
  const check = (name: keyof TrafficOptions, right: boolean, rule: string): void => {
    if (!right) throw new RangeError(`Traffic option ${name} must be ${rule}, not ${String(options[name])}`);
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
  const awkward = options.midnightShare + options.bridgeShare + options.gapEdgeShare;
  check("midnightShare", awkward <= 1, "at most 1 together with bridgeShare and gapEdgeShare");
  const now = typeof options.now === "number" ? options.now : options.now();
  check("now", dayOf(now) >= options.days, "epoch milliseconds, at least `days` after 1970-01-01");
  const oldDays = options.oldDays.map(dayFromIso);
  const allPast = oldDays.every((day) => day !== undefined && day >= 0 && day < dayOf(now));
  check("oldDays", allPast, "dates written YYYY-MM-DD, from 1970 on and before the day of `now`");
  check("oldDays", options.oldShare === 0 || oldDays.length > 0, "at least one date, or oldShare 0");
  return options;
}
