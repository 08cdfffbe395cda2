/** A change of the counts of one day. Deltas of a day add up in any order. */
export interface DayDelta {
  /** Epoch day, see day.ts. */
  readonly day: number;
  readonly sessions: number;
  /** Sum of session durations, in milliseconds. */
  readonly durationMs: number;
  readonly activeUsers: number;
  readonly newUsers: number;
}

/** All counts of one day, as of a version. */
export interface DayTotals extends DayDelta {
  /** Rises strictly from one state of the day to the next. */
  readonly version: number;
}

/**
 * The sum of two deltas.
 * @throws Error when they are of different days
 */
export function addDeltas(a: DayDelta, b: DayDelta): DayDelta {
  if (a.day !== b.day) throw new Error(`Deltas of different days (${a.day} and ${b.day}) cannot be added`);
  return {
    day: a.day,
    sessions: a.sessions + b.sessions,
    durationMs: a.durationMs + b.durationMs,
    activeUsers: a.activeUsers + b.activeUsers,
    newUsers: a.newUsers + b.newUsers,
  };
}

/** Whether a delta changes nothing, as when one joins a session and the next parts it: it need not be sent on. */
export function isZeroDelta(delta: DayDelta): boolean {
  return delta.sessions === 0 && delta.durationMs === 0 && delta.activeUsers === 0 && delta.newUsers === 0;
}

/** One delta for each day, in the order the days first appear; days whose deltas cancel out are left out. */
export function sumDeltas(deltas: Iterable<DayDelta>): DayDelta[] {
  const sums = new Map<number, DayDelta>();
  for (const delta of deltas) {
    const sum = sums.get(delta.day);
    sums.set(delta.day, sum === undefined ? delta : addDeltas(sum, delta));
  }
  return [...sums.values()].filter((sum) => !isZeroDelta(sum));
}

/**
 * The version that follows `previous`: the time, or one more than before when the clock has not moved on.
 * @param previous undefined for the first version
 * @param nowMs epoch milliseconds
 */
export function nextVersion(previous: number | undefined, nowMs: number): number {
  return previous === undefined ? nowMs : Math.max(previous + 1, nowMs);
}

/**
 * The totals of a day after a delta, as a new version.
 * @param previous undefined when nothing is known of the day yet
 * @param nowMs epoch milliseconds
 * @throws Error when they are of different days
 */
export function applyDelta(previous: DayTotals | undefined, delta: DayDelta, nowMs: number): DayTotals {
  const sum = previous === undefined ? delta : addDeltas(previous, delta);
  return { ...sum, version: nextVersion(previous?.version, nowMs) };
}
