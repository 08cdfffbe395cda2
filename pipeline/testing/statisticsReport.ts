import type { DailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import type { StatisticsReport } from "@eventlogger/traffic/bruteForce";

/** The rows of the view daily_rollups in the form in which brute force reports the expected numbers. */
export function statisticsReport({ total_users, days }: DailyRollups): StatisticsReport {
  return {
    total_users,
    daily_stats: days.map(({ date, total_users: _, updated_at: _updatedAt, wau, mau, ...numbers }) => ({
      ...numbers,
      weekly_active_user_count: wau,
      monthly_active_user_count: mau,
      date: date.split("-").reverse().join("/"),
    })),
  };
}
