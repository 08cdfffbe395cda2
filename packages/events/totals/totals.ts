/** A change of the counts of one day. Deltas of a day can be added in any order. */
export interface DayDelta {
  /** Epoch day (day.ts). */
  readonly day: number;
  readonly sessions: number;
  /** Sum of session durations, in milliseconds. */
  readonly durationMs: number;
  readonly activeUsers: number;
  readonly newUsers: number;
}

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
  return {
    day: a.day,
    sessions: a.sessions + b.sessions,
    durationMs: a.durationMs + b.durationMs,
    activeUsers: a.activeUsers + b.activeUsers,
    newUsers: a.newUsers + b.newUsers,
  };
}

/** Whether a delta changes nothing and need not be emitted. */
export function isZeroDelta(delta: DayDelta): boolean {
  return delta.sessions === 0 && delta.durationMs === 0 && delta.activeUsers === 0 && delta.newUsers === 0;
}

/** One delta per day, in the order in which the days first appear. Omits days whose deltas cancel out. */
export function sumDeltas(deltas: Iterable<DayDelta>): DayDelta[] {
  const sums = new Map<number, DayDelta>();
  for (const delta of deltas) {
    const sum = sums.get(delta.day);
    sums.set(delta.day, sum === undefined ? delta : addDeltas(sum, delta));
  }
  return [...sums.values()].filter((sum) => !isZeroDelta(sum));
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
