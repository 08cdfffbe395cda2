import { dayFromIso } from "@eventlogger/events/day";
import type { RetentionDifference } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { MONTHLY_DAYS, WEEKLY_DAYS } from "@eventlogger/gcp/bigquery/verify/expectedRollups";

/** How much events in flight can change numbers. Both are by day (YYYY-MM-DD). */
export interface InFlight {
  /** Number of events that may be in only one of numbers and raw rows. */
  readonly events: ReadonlyMap<string, number>;
  /**
   * Number of persons who may become active on a day, or no longer be, because of links between anonymous ids and users: by an event of
   * a linked anonymous id on that day, or by a new link, which changes all days of its anonymous id.
   */
  readonly linked: ReadonlyMap<string, number>;
}

/**
 * The differences between numbers and raw rows that events in flight do not explain. While events arrive, the numbers and the raw rows are
 * read at different moments: some events are in only one of the two. One event, wherever it is,
 *
 * - adds a session, or joins two, or neither: `session_count` and `bot_session_count` of its day change by at most 1;
 * - adds the time to its neighbours, less than the gap to each: `session_duration_ms` of its day changes by less than two gaps;
 * - makes its person active, or a bot's person human: `active_user_count`, `anonymous_user_count` and `bot_user_count` of its day change by
 *   at most 1, and `wau` and `mau` until 6 and 29 days later;
 * - can become the first event of its person, who is then no new person of a later day: `new_user_count` changes by at most 1 on its day and
 *   on one later day, and `total_users` by at most 1 on its day and on later days;
 * - can link an anonymous id with a user: see {@link InFlight}.
 *
 * Averages follow from counts and durations, and change only with them.
 * @param differences `expected` from the raw rows, `actual` from the numbers
 * @param gapMs session gap; ms
 */
export function unexplainedDifferences(
  differences: readonly Difference[],
  { events, linked }: InFlight,
  gapMs: number,
): Difference[] {
  const persons = sumOfBoth(events, linked);
  return differences.filter((difference) => Math.abs(change(difference)) > bound(difference, events, persons, gapMs));
}

/**
 * The differences of the retention that events in flight do not explain. An event in flight changes at most one person, unless it links an
 * anonymous id: that person may become active in one more week, or belong to an earlier cohort, which changes each number of both cohorts by
 * at most 1.
 */
export function unexplainedRetention(
  differences: readonly RetentionDifference[],
  { events, linked }: InFlight,
): RetentionDifference[] {
  const persons = [...sumOfBoth(events, linked).values()].reduce((sum, n) => sum + n, 0);
  return differences.filter(({ expected, actual }) => Math.abs(expected - actual) > persons);
}

function sumOfBoth(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...a.keys(), ...b.keys()].map((date) => [date, (a.get(date) ?? 0) + (b.get(date) ?? 0)]));
}

/** The change of a number; that of a whole day is the number of its sessions. */
function change({ expected, actual }: Difference): number {
  return (expected ?? 0) - (actual ?? 0);
}

/** The sum over the days of a window that ends with a day. @param days length of the window; Infinity: from the first day on */
function sumUntil(counts: ReadonlyMap<string, number>, date: string, days = Infinity): number {
  const last = dayFromIso(date) ?? 0;
  return [...counts].reduce((sum, [counted, n]) => {
    const age = last - (dayFromIso(counted) ?? 0);
    return age >= 0 && age < days ? sum + n : sum;
  }, 0);
}

function bound(
  { date, number }: Difference,
  inFlight: ReadonlyMap<string, number>,
  persons: ReadonlyMap<string, number>,
  gapMs: number,
): number {
  const events = inFlight.get(date) ?? 0;
  switch (number) {
    case "day":
    case "session_count":
    case "bot_session_count":
      return events;
    case "active_user_count":
    case "anonymous_user_count":
    case "bot_user_count":
      return persons.get(date) ?? 0;
    case "session_duration_ms":
      return 2 * gapMs * events;
    case "new_user_count":
    case "total_users":
      return sumUntil(persons, date);
    case "wau":
      return sumUntil(persons, date, WEEKLY_DAYS);
    case "mau":
      return sumUntil(persons, date, MONTHLY_DAYS);
    case "average_session_duration_sec":
    case "average_session_duration_min":
      return events > 0 ? Infinity : 0;
  }
}
