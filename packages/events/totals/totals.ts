/** A change of the counts of one day. Deltas of a day can be added in any order. */
export interface DayDelta {
  /** Epoch day (day.ts). */
  readonly day: number;
  /** Sessions that count: those of people, and those of bots where the generation counts bots. */
  readonly sessions: number;
  /** Sum of the durations of the sessions that count, in milliseconds. */
  readonly durationMs: number;
  /** Persons (users and anonymous ids without a user) who were active on the day. */
  readonly activeUsers: number;
  /** Persons whose first active day is the day. */
  readonly newUsers: number;
  /** Of the active persons, those that are anonymous ids. */
  readonly anonymousUsers: number;
  /**
   * How much the number of persons who were active on one of the 7 days that end with this day differs from that of the day before.
   * So the sum of all changes up to a day is the number of weekly active persons of the day.
   */
  readonly weeklyActiveChange: number;
  /** The same for 30 days. */
  readonly monthlyActiveChange: number;
  /** Sessions of bots, whether or not they count. */
  readonly botSessions: number;
  /** Persons who were active on the day only with events of bots, whether or not they count. */
  readonly botUsers: number;
}

/** The counts of a {@link DayDelta}, in the order of its encodings. */
export const DAY_COUNTS = [
  "sessions",
  "durationMs",
  "activeUsers",
  "newUsers",
  "anonymousUsers",
  "weeklyActiveChange",
  "monthlyActiveChange",
  "botSessions",
  "botUsers",
] as const satisfies readonly (keyof DayDelta)[];

/** A delta of a day; counts that are not given are 0. */
export function dayDelta(day: number, counts: Partial<Omit<DayDelta, "day">> = {}): DayDelta {
  return {
    day,
    sessions: 0,
    durationMs: 0,
    activeUsers: 0,
    newUsers: 0,
    anonymousUsers: 0,
    weeklyActiveChange: 0,
    monthlyActiveChange: 0,
    botSessions: 0,
    botUsers: 0,
    ...counts,
  };
}

/** A delta that is still being added up. */
export type MutableDelta = { -readonly [K in keyof DayDelta]: DayDelta[K] };

/** The counts of one day so far, with the number of the last version that was emitted; 0 before the first one. */
export interface DayTotals extends DayDelta {
  readonly version: number;
}

/** The absolute counts of one day as the pipeline emits them. The highest version of a day is the current one. */
export interface DayVersion extends DayTotals {
  /** The generation that the counts belong to. */
  readonly generation: number;
  /** When the version was created; epoch milliseconds. */
  readonly updatedAt: number;
}

/**
 * The sum of two deltas.
 * @throws Error when the days differ
 */
export function addDeltas(a: DayDelta, b: DayDelta): DayDelta {
  if (a.day !== b.day) throw new Error(`Cannot add deltas of different days (${a.day} and ${b.day})`);
  const sum: MutableDelta = { ...a };
  addTo(sum, b);
  return sum;
}

/** Adds each count of a delta to a sum. */
function addTo(sum: MutableDelta, delta: DayDelta): void {
  sum.sessions += delta.sessions;
  sum.durationMs += delta.durationMs;
  sum.activeUsers += delta.activeUsers;
  sum.newUsers += delta.newUsers;
  sum.anonymousUsers += delta.anonymousUsers;
  sum.weeklyActiveChange += delta.weeklyActiveChange;
  sum.monthlyActiveChange += delta.monthlyActiveChange;
  sum.botSessions += delta.botSessions;
  sum.botUsers += delta.botUsers;
}

/** Whether a delta changes nothing and need not be emitted. */
export function isZeroDelta(delta: DayDelta): boolean {
  return DAY_COUNTS.every((count) => delta[count] === 0);
}

/** Sums deltas by day. */
export class DaySums {
  private sums = new Map<number, MutableDelta>();

  add(delta: DayDelta): void {
    const sum = this.sums.get(delta.day);
    if (sum) addTo(sum, delta);
    else this.sums.set(delta.day, { ...delta });
  }

  /** One delta per day, in the order in which the days first appeared. Omits days whose deltas cancel out. Empties the sums. */
  drain(): DayDelta[] {
    const { sums } = this;
    this.sums = new Map();
    return [...sums.values()].filter((sum) => !isZeroDelta(sum));
  }
}

/** One delta per day, in the order in which the days first appear. Omits days whose deltas cancel out. */
export function sumDeltas(deltas: Iterable<DayDelta>): DayDelta[] {
  const sums = new DaySums();
  for (const delta of deltas) sums.add(delta);
  return sums.drain();
}

/**
 * Adds a delta to the totals of its day; the version stays.
 * @param totals undefined for a day without totals
 * @throws Error when the days differ
 */
export function addToTotals(totals: DayTotals | undefined, delta: DayDelta): DayTotals {
  const sum = totals === undefined ? delta : addDeltas(totals, delta);
  return { ...sum, version: totals?.version ?? 0 };
}

/**
 * The next version of a day.
 * @param version.generation the generation that the counts belong to
 * @param version.version higher than every earlier version of the day in that generation
 * @param version.updatedAt epoch milliseconds
 */
export function newVersion(
  totals: DayTotals,
  version: Pick<DayVersion, "generation" | "version" | "updatedAt">,
): DayVersion {
  return { ...totals, ...version };
}
