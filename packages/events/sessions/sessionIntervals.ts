/**
 * The sessions of one key (day, session_id) as a set of intervals. The union of intervals is idempotent, commutative and
 * associative, so the set does not depend on the order, grouping or repetition of the additions.
 */

/** First and last event time of events of one session: epoch milliseconds, both inclusive, first <= last. */
export type Interval = readonly [first: number, last: number];

/** The set after an addition, and how the addition changed the counts. */
export interface IntervalChange {
  readonly intervals: Interval[];
  /** Change of the number of sessions: +1, 0, or negative when the addition joins sessions. */
  readonly sessions: number;
  /** Change of the summed durations, in milliseconds. */
  readonly durationMs: number;
}

/** Binary search: the first index from `from` on whose interval fulfils a monotonic condition. */
function firstIndex(intervals: readonly Interval[], from: number, holds: (interval: Interval) => boolean): number {
  let low = from;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const interval = intervals[middle];
    if (interval !== undefined && holds(interval)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Adds an interval and joins it with every interval less than the gap away. Intervals exactly the gap apart stay
 * separate, as in Beam's half-open session windows.
 * @param intervals sorted, disjoint, neighbours at least `gapMs` apart; not changed
 * @param add first <= last
 * @param gapMs > 0
 * @returns undefined when the addition changes nothing
 */
export function addInterval(intervals: readonly Interval[], add: Interval, gapMs: number): IntervalChange | undefined {
  const [first, last] = add;
  const from = firstIndex(intervals, 0, (interval) => first - interval[1] < gapMs);
  const to = firstIndex(intervals, from, (interval) => interval[0] - last >= gapMs);
  const joinedFirst = Math.min(first, from < to ? (intervals[from]?.[0] ?? first) : first);
  const joinedLast = Math.max(last, from < to ? (intervals[to - 1]?.[1] ?? last) : last);
  let durationMs = joinedLast - joinedFirst;
  for (let i = from; i < to; i++) {
    const interval = intervals[i];
    if (interval) durationMs -= interval[1] - interval[0];
  }
  const sessions = 1 - (to - from);
  // The interval lies within a known one.
  if (sessions === 0 && durationMs === 0) return undefined;
  const joined: Interval = [joinedFirst, joinedLast];
  // Most sessions have one interval. A list that is not spread has no room to spare, and so half the size in memory.
  const isOnly = from === 0 && to === intervals.length;
  return {
    intervals: isOnly ? [joined] : [...intervals.slice(0, from), joined, ...intervals.slice(to)],
    sessions,
    durationMs,
  };
}

/**
 * The sessions of any intervals: sorted, with intervals less than the gap apart joined.
 * @param intervals in any order, first <= last; not changed
 * @param gapMs > 0
 */
export function unionIntervals(intervals: readonly Interval[], gapMs: number): Interval[] {
  const sorted = [...intervals].sort((a, b) => a[0] - b[0]);
  const union: Interval[] = [];
  let open: Interval | undefined;
  for (const interval of sorted) {
    if (open !== undefined && interval[0] - open[1] < gapMs) {
      open = [open[0], Math.max(open[1], interval[1])];
    } else {
      if (open !== undefined) union.push(open);
      open = [interval[0], interval[1]];
    }
  }
  if (open !== undefined) union.push(open);
  return union;
}
