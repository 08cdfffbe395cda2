import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";

/**
 * The differences between numbers and raw rows that events in flight do not explain. While events arrive, the numbers and the raw rows are
 * read at different moments: some events are in only one of the two. One event, wherever it is,
 *
 * - adds a session, or joins two, or neither: `session_count` of its day changes by at most 1;
 * - adds the time to its neighbours, less than the gap to each: `session_duration_ms` of its day changes by less than two gaps;
 * - makes its user active: `active_user_count` of its day changes by at most 1;
 * - can become the first event of its user, who is then no new user of a later day: `new_user_count` changes by at most 1 on its day and on
 *   one later day, and `total_users` by at most 1 on its day and on later days.
 *
 * Averages follow from counts and durations, and change only with them.
 * @param differences `expected` from the raw rows, `actual` from the numbers
 * @param inFlight number of events that may be in only one of the two, by day (YYYY-MM-DD)
 * @param gapMs session gap; ms
 */
export function unexplainedDifferences(
  differences: readonly Difference[],
  inFlight: ReadonlyMap<string, number>,
  gapMs: number,
): Difference[] {
  const days = [...inFlight].sort(([a], [b]) => (a < b ? -1 : 1));
  const until = (date: string): number => days.reduce((sum, [day, events]) => (day <= date ? sum + events : sum), 0);
  return differences.filter((difference) => Math.abs(change(difference)) > bound(difference, inFlight, until, gapMs));
}

/** The change of a number; that of a whole day is the number of its sessions. */
function change({ expected, actual }: Difference): number {
  return (expected ?? 0) - (actual ?? 0);
}

function bound(
  { date, number }: Difference,
  inFlight: ReadonlyMap<string, number>,
  until: (date: string) => number,
  gapMs: number,
): number {
  const events = inFlight.get(date) ?? 0;
  switch (number) {
    case "day":
    case "session_count":
    case "active_user_count":
      return events;
    case "session_duration_ms":
      return 2 * gapMs * events;
    case "new_user_count":
    case "total_users":
      return until(date);
    case "average_session_duration_sec":
    case "average_session_duration_min":
      return events > 0 ? Infinity : 0;
  }
}
