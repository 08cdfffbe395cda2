import { averageMinutesSql, averageSecondsSql } from "./averages";
import { dailyRollupVersionsTable, eventsTable } from "./tables";

export interface View {
  readonly name: string;
  readonly description: string;
  /** The query. A view needs fully qualified table names. */
  query(project: string, dataset: string): string;
}

/** The quoted, fully qualified name of a table or view, for SQL. */
export function tableReference(project: string, dataset: string, name: string): string {
  return `\`${project}.${dataset}.${name}\``;
}

/** One row per day: its newest version, averages, and `total_users`, the known users up to and including that day. */
export const dailyRollupsView: View = {
  name: "daily_rollups",
  description: "Daily rollups: the newest version of each day",
  query: (project, dataset) => `
SELECT
  date,
  session_count,
  session_duration_ms,
  ${averageSecondsSql("session_duration_ms", "session_count")} AS average_session_duration_sec,
  ${averageMinutesSql("session_duration_ms", "session_count")} AS average_session_duration_min,
  active_user_count,
  new_user_count,
  SUM(new_user_count) OVER (ORDER BY date) AS total_users,
  version,
  updated_at
FROM (
  SELECT *
  FROM ${tableReference(project, dataset, dailyRollupVersionsTable.name)}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY date ORDER BY version DESC) = 1
)
WHERE session_count != 0 OR session_duration_ms != 0 OR active_user_count != 0 OR new_user_count != 0`,
};

/** One row per event: of the rows with the same event_id, the one received first. */
export const eventsUniqueView: View = {
  name: "events_unique",
  description: "One row per event_id: the one received first",
  query: (project, dataset) => `
SELECT ${eventsTable.columns.map((c) => c.name).join(", ")}
FROM ${tableReference(project, dataset, eventsTable.name)}
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY received_at, event_time, session_id) = 1`,
};

export const views: readonly View[] = [dailyRollupsView, eventsUniqueView];
