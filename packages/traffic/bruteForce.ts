import type { AnalyticsEvent } from "@eventlogger/events/event";
import { averageSessionDurationMin, averageSessionDurationSec } from "./averages";
import { localDates } from "./localDates";

/**
 * The daily rollups straight from their definitions, by sorting and counting all events. Simple enough to be obviously
 * correct, and independent of the code it checks: own dates, own rounding, own sessions.
 */

/** One day in the answer of `GET /event/`. */
export interface DailyStat {
  /** dd/mm/yyyy */
  date: string;
  average_session_duration_min: number;
  average_session_duration_sec: number;
  active_user_count: number;
  new_user_count: number;
  session_count: number;
}

/** The body of `GET /event/`, without `as_of`. */
export interface RollupReport {
  total_users: number;
  daily_stats: DailyStat[];
}

type CountedEvent = Pick<AnalyticsEvent, "event_id" | "session_id" | "event_time" | "user_id">;

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Durations of the sessions of one session_id on one day, from its event times. */
function sessionDurations(times: readonly number[], gapMs: number): number[] {
  const sorted = [...times].sort((a, b) => a - b);
  const durations: number[] = [];
  let start = sorted[0] ?? 0;
  sorted.forEach((time, i) => {
    const next = sorted[i + 1];
    if (next === undefined || next - time >= gapMs) {
      durations.push(time - start);
      start = next ?? 0;
    }
  });
  return durations;
}

/**
 * The expected answer of `GET /event/` for these events: days in ascending order, without days that have no events.
 * @param events all accepted events in any order; of several with the same event_id only one counts
 * @param gapMs session gap
 * @param timeZone IANA name of the zone whose days count
 */
export function bruteForceRollups(events: Iterable<CountedEvent>, gapMs = 30 * 60_000, timeZone = "UTC"): RollupReport {
  const dateOf = localDates(timeZone);
  const unique = [...new Map([...events].map((event) => [event.event_id, event])).values()];
  const known = unique.filter((event) => event.user_id !== null);
  const firstDays = [...groupBy(known, (event) => event.user_id ?? "").values()].map((ofUser) =>
    ofUser.map((event) => dateOf(event.event_time)).reduce((a, b) => (a < b ? a : b)),
  );
  const days = groupBy(unique, (event) => dateOf(event.event_time));
  const daily_stats = [...days.keys()].sort().map((day): DailyStat => {
    const ofDay = days.get(day) ?? [];
    const durations = [...groupBy(ofDay, (event) => event.session_id).values()].flatMap((ofSession) =>
      sessionDurations(
        ofSession.map((event) => event.event_time),
        gapMs,
      ),
    );
    const totalMs = durations.reduce((sum, ms) => sum + BigInt(ms), 0n);
    return {
      date: day.split("-").reverse().join("/"),
      average_session_duration_min: averageSessionDurationMin(totalMs, durations.length),
      average_session_duration_sec: averageSessionDurationSec(totalMs, durations.length),
      active_user_count: new Set(ofDay.map((event) => event.user_id).filter((user) => user !== null)).size,
      new_user_count: firstDays.filter((first) => first === day).length,
      session_count: durations.length,
    };
  });
  return { total_users: firstDays.length, daily_stats };
}
