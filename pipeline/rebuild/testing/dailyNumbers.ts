import type { RollupNumber } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { bruteForceStatistics, type Definitions } from "@eventlogger/traffic/bruteForce";
import { localDates } from "@eventlogger/traffic/localDates";

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

/** The numbers of the view daily_rollups by brute force, by day (YYYY-MM-DD), in the order of days. */
export function dailyNumbers(
  events: readonly CountedEvent[],
  gapMs: number,
  { timeZone = "UTC", countBots = false }: Pick<Definitions, "timeZone" | "countBots"> = {},
): Map<string, Record<RollupNumber, number>> {
  const unique = [...new Map(events.map((event) => [event.event_id, event])).values()];
  const dateOf = localDates(timeZone);
  let total = 0;
  return new Map(
    bruteForceStatistics(unique, { gapMs, timeZone, countBots }).daily_stats.map((stat) => {
      const date = stat.date.split("/").reverse().join("-");
      total += stat.new_user_count;
      const { weekly_active_user_count: wau, monthly_active_user_count: mau, ...numbers } = stat;
      const ofDay = unique.filter((event) => dateOf(event.event_time) === date && (countBots || !event.is_bot));
      return [date, { ...numbers, wau, mau, session_duration_ms: durationMs(ofDay, gapMs), total_users: total }];
    }),
  );
}

/** The sum of the session durations of a day: the steps between neighbours of a session id and class that are less than the gap. */
function durationMs(ofDay: readonly CountedEvent[], gapMs: number): number {
  const bySession = new Map<string, number[]>();
  for (const { session_id, is_bot, event_time } of ofDay) {
    const key = JSON.stringify([session_id, is_bot]);
    bySession.set(key, [...(bySession.get(key) ?? []), event_time]);
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
