import { averageMinutesSql, averageSecondsSql } from "./averages";
import { dailyRollupVersionsTable, eventsTable, generationsTable, type Table } from "./tables";

export interface View {
  readonly name: string;
  readonly description: string;
  /**
   * Set for a materialized view, whose result BigQuery keeps: the table that it reads. Emulators have a plain view with the
   * same query.
   */
  readonly materializedFrom?: Table;
  /** The query. A view needs fully qualified table names. */
  query(project: string, dataset: string): string;
}

/** The quoted, fully qualified name of a table or view, for SQL. */
export function tableReference(project: string, dataset: string, name: string): string {
  return `\`${project}.${dataset}.${name}\``;
}

/** The value of a column in the newest version of a day. */
const newest = (column: string): string => `MAX_BY(${column}, version) AS ${column}`;

/**
 * The newest version of each day of each generation, without anything that is computed from it: BigQuery updates a materialized
 * view incrementally only when its aggregates are its columns, without window functions, HAVING or arithmetic on aggregates
 * (https://cloud.google.com/bigquery/docs/materialized-views-create#query_limitations). Not partitioned, because its partitions
 * would have to be those of the table, which are days of writing.
 */
export const dailyRollupLatestView: View = {
  name: "daily_rollup_latest",
  description: "The newest version of the totals of each day of each generation; the view daily_rollups reads it",
  materializedFrom: dailyRollupVersionsTable,
  query: (project, dataset) => `
SELECT
  generation,
  date,
  MAX(version) AS version,
  ${newest("session_count")},
  ${newest("session_duration_ms")},
  ${newest("active_user_count")},
  ${newest("new_user_count")},
  ${newest("updated_at")}
FROM ${tableReference(project, dataset, dailyRollupVersionsTable.name)}
GROUP BY generation, date`,
};

/** SQL of the rollups of the generations for which a condition on `generation` holds. */
function rollupsSql(project: string, dataset: string, condition: string): string {
  return `
SELECT
  date,
  session_count,
  session_duration_ms,
  ${averageSecondsSql("session_duration_ms", "session_count")} AS average_session_duration_sec,
  ${averageMinutesSql("session_duration_ms", "session_count")} AS average_session_duration_min,
  active_user_count,
  new_user_count,
  SUM(new_user_count) OVER (PARTITION BY generation ORDER BY date) AS total_users,
  version,
  updated_at,
  generation
FROM ${tableReference(project, dataset, dailyRollupLatestView.name)}
WHERE (session_count != 0 OR session_duration_ms != 0 OR active_user_count != 0 OR new_user_count != 0)
  AND ${condition}`;
}

/** SQL of the ids of the active generation: one row, or none. */
export function activeGenerationSql(project: string, dataset: string): string {
  return `SELECT generation FROM ${tableReference(project, dataset, generationsTable.name)} WHERE status = 'active'`;
}

/**
 * One row per day of the active generation: its newest version, averages, and `total_users`, the known users up to and including
 * that day.
 */
export const dailyRollupsView: View = {
  name: "daily_rollups",
  description: "Daily rollups of the active generation: the newest version of each day",
  query: (project, dataset) => rollupsSql(project, dataset, `generation IN (${activeGenerationSql(project, dataset)})`),
};

/** As {@link dailyRollupsView}, of every generation. */
export const dailyRollupsAllView: View = {
  name: "daily_rollups_all",
  description: "Daily rollups of every generation, for comparisons: the newest version of each day",
  query: (project, dataset) => rollupsSql(project, dataset, "TRUE"),
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

/** In the order in which they are created: a view reads those before it. */
export const views: readonly View[] = [dailyRollupLatestView, dailyRollupsView, dailyRollupsAllView, eventsUniqueView];
