import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery } from "./query";
import { dailyRollupsView, tableReference } from "./views";

/** One UTC day of the view daily_rollups. */
export interface DailyRollup {
  /** YYYY-MM-DD. */
  date: string;
  average_session_duration_sec: number;
  average_session_duration_min: number;
  active_user_count: number;
  new_user_count: number;
  session_count: number;
  /** Distinct known users up to and including this day. */
  total_users: number;
}

/** First and last day, inclusive, `YYYY-MM-DD`. */
export interface DayRange {
  readonly from: string;
  readonly to: string;
}

export interface DailyRollups {
  /** Distinct known users over all days, also those outside of a requested range. */
  total_users: number;
  /** In ascending order of date. */
  days: DailyRollup[];
}

/**
 * Reads the rollups of the days in a range, or of all days.
 * @throws Error of the BigQuery client when the query fails
 */
export async function readDailyRollups(bigquery: BigQuery, dataset: string, range?: DayRange): Promise<DailyRollups> {
  const view = tableReference(bigquery.projectId, dataset, dailyRollupsView.name);
  // Also the last day of all, which has the number of all users. The window reads the view once; a subquery would read it again.
  const inRange = `WHERE date BETWEEN CAST(@from AS DATE) AND CAST(@to AS DATE) OR date = last_date`;
  const rows = await runQuery(
    bigquery,
    `SELECT date, average_session_duration_sec, average_session_duration_min, active_user_count, new_user_count,
            session_count, total_users
     FROM (SELECT *, MAX(date) OVER () AS last_date FROM ${view})
     ${range === undefined ? "" : inRange}
     ORDER BY date`,
    range && { from: range.from, to: range.to },
  );
  const days = rows.map((row) => ({
    date: row.text("date"),
    average_session_duration_sec: row.number("average_session_duration_sec"),
    average_session_duration_min: row.number("average_session_duration_min"),
    active_user_count: row.number("active_user_count"),
    new_user_count: row.number("new_user_count"),
    session_count: row.number("session_count"),
    total_users: row.number("total_users"),
  }));
  const isWithin = ({ date }: DailyRollup): boolean => !range || (date >= range.from && date <= range.to);
  return { total_users: days[days.length - 1]?.total_users ?? 0, days: days.filter(isWithin) };
}
