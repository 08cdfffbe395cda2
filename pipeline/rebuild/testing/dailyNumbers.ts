import type { RollupNumber } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { bruteForceStatistics } from "@eventlogger/traffic/bruteForce";

/** What numbers depend on. */
export interface CountedEvent {
  readonly event_id: string;
  readonly session_id: string;
  readonly user_id: string | null;
  readonly anonymous_id: string | null;
  readonly is_bot: boolean;
  /** Epoch ms. */
  readonly event_time: number;
}

/** The numbers of the view daily_rollups by brute force, by UTC day (YYYY-MM-DD), in the order of days. */
export function dailyNumbers(
  events: readonly CountedEvent[],
  gapMs: number,
): Map<string, Record<RollupNumber, number>> {
  const unique = [...new Map(events.map((event) => [event.event_id, event])).values()];
  let total = 0;
  return new Map(
    bruteForceStatistics(unique, { gapMs }).daily_stats.map((stat) => {
      const date = stat.date.split("/").reverse().join("-");
      total += stat.new_user_count;
      const { weekly_active_user_count: wau, monthly_active_user_count: mau, ...numbers } = stat;
      return [date, { ...numbers, wau, mau, session_duration_ms: durationMs(unique, date, gapMs), total_users: total }];
    }),
  );
}

/** The sum of the session durations of people of a day: the steps between neighbours of a session id that are less than the gap. */
function durationMs(events: readonly CountedEvent[], date: string, gapMs: number): number {
  const ofDay = events.filter(
    (event) => !event.is_bot && new Date(event.event_time).toISOString().slice(0, 10) === date,
  );
  const bySession = new Map<string, number[]>();
  for (const { session_id, event_time } of ofDay) {
    bySession.set(session_id, [...(bySession.get(session_id) ?? []), event_time]);
  }
  let sum = 0;
  for (const ofSession of bySession.values()) {
    const times = [...ofSession].sort((a, b) => a - b);
    times.forEach((time, i) => {
      const step = i === 0 ? gapMs : time - (times[i - 1] as number);
      if (step < gapMs) sum += step;
    });
  }
  return sum;
}
