import { averageMinutesSql, averageSecondsSql } from "./averages";
import { REFRESH } from "./breakdowns/dimensions";
import {
  dailyBreakdownsTable,
  dailyRollupVersionsTable,
  eventsTable,
  generationsTable,
  hourlyEventsTable,
  weeklyRetentionVersionsTable,
  type Table,
} from "./tables";
import {
  breakdownColumns,
  dailyRollupColumns,
  dailyRollupLatestColumns,
  eventColumns,
  hourColumns,
  weeklyRetentionColumns,
  weeklyRetentionLatestColumns,
  type ViewColumns,
} from "./viewColumns";

export interface View {
  readonly name: string;
  readonly description: string;
  /** What each of its columns means, in the order of the columns. */
  readonly columns: ViewColumns;
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
  columns: dailyRollupLatestColumns,
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
  ${newest("updated_at")},
  ${newest("anonymous_user_count")},
  ${newest("weekly_active_change")},
  ${newest("monthly_active_change")},
  ${newest("bot_session_count")},
  ${newest("bot_user_count")}
FROM ${tableReference(project, dataset, dailyRollupVersionsTable.name)}
GROUP BY generation, date`,
};

/** The running total of a column over the days of a generation. Rows of earlier releases have null in some columns. */
const untilDay = (column: string): string => `SUM(IFNULL(${column}, 0)) OVER (PARTITION BY generation ORDER BY date)`;

/**
 * SQL of the rollups of the generations for which a condition on `generation` holds. Every event belongs to a session, so days without
 * a session have no events: their rows only carry the days on which persons leave the weekly and monthly active users.
 */
function rollupsSql(project: string, dataset: string, condition: string): string {
  return `
SELECT *
FROM (
  SELECT
    date,
    session_count,
    session_duration_ms,
    ${averageSecondsSql("session_duration_ms", "session_count")} AS average_session_duration_sec,
    ${averageMinutesSql("session_duration_ms", "session_count")} AS average_session_duration_min,
    active_user_count,
    new_user_count,
    ${untilDay("new_user_count")} AS total_users,
    version,
    updated_at,
    generation,
    IFNULL(anonymous_user_count, 0) AS anonymous_user_count,
    ${untilDay("weekly_active_change")} AS wau,
    ${untilDay("monthly_active_change")} AS mau,
    IFNULL(bot_session_count, 0) AS bot_session_count,
    IFNULL(bot_user_count, 0) AS bot_user_count
  FROM ${tableReference(project, dataset, dailyRollupLatestView.name)}
  WHERE ${condition}
)
WHERE session_count != 0 OR session_duration_ms != 0 OR active_user_count != 0 OR new_user_count != 0
  OR bot_session_count != 0 OR bot_user_count != 0`;
}

/** SQL of the ids of the active generation: one row, or none. */
export function activeGenerationSql(project: string, dataset: string): string {
  return `SELECT generation FROM ${tableReference(project, dataset, generationsTable.name)} WHERE status = 'active'`;
}

/**
 * One row per day of the active generation: its newest version, averages, `total_users`, the persons up to and including that day, and
 * `wau` and `mau`, the persons who were active on at least one of the 7 and 30 days that end with that day.
 */
export const dailyRollupsView: View = {
  name: "daily_rollups",
  description: "Daily rollups of the active generation: the newest version of each day",
  columns: dailyRollupColumns,
  query: (project, dataset) => rollupsSql(project, dataset, `generation IN (${activeGenerationSql(project, dataset)})`),
};

/** As {@link dailyRollupsView}, of every generation. */
export const dailyRollupsAllView: View = {
  name: "daily_rollups_all",
  description: "Daily rollups of every generation, for comparisons: the newest version of each day",
  columns: dailyRollupColumns,
  query: (project, dataset) => rollupsSql(project, dataset, "TRUE"),
};

/** The newest version of each cohort and week of each generation, as {@link dailyRollupLatestView}. */
export const weeklyRetentionLatestView: View = {
  name: "weekly_retention_latest",
  description: "The newest version of each cohort and week of each generation; the view weekly_retention reads it",
  columns: weeklyRetentionLatestColumns,
  materializedFrom: weeklyRetentionVersionsTable,
  query: (project, dataset) => `
SELECT
  generation,
  cohort_week,
  week_offset,
  MAX(version) AS version,
  ${newest("person_count")},
  ${newest("updated_at")}
FROM ${tableReference(project, dataset, weeklyRetentionVersionsTable.name)}
GROUP BY generation, cohort_week, week_offset`,
};

/** SQL of the retention of the generations for which a condition on `generation` holds. Weeks without persons have no row. */
function retentionSql(project: string, dataset: string, condition: string): string {
  return `
SELECT
  cohort_week,
  week_offset,
  person_count,
  MAX(IF(week_offset = 0, person_count, 0)) OVER (PARTITION BY generation, cohort_week) AS cohort_size,
  version,
  updated_at,
  generation
FROM ${tableReference(project, dataset, weeklyRetentionLatestView.name)}
WHERE person_count != 0 AND ${condition}`;
}

/**
 * Persons by the week of their first day and the weeks after it in which they were active, of the active generation. `cohort_size` is the
 * number of persons of the cohort, which are all active in its week 0.
 */
export const weeklyRetentionView: View = {
  name: "weekly_retention",
  description: "Weekly retention of the active generation: the newest version of each cohort and week",
  columns: weeklyRetentionColumns,
  query: (project, dataset) =>
    retentionSql(project, dataset, `generation IN (${activeGenerationSql(project, dataset)})`),
};

/** As {@link weeklyRetentionView}, of every generation. */
export const weeklyRetentionAllView: View = {
  name: "weekly_retention_all",
  description: "Weekly retention of every generation, for comparisons: the newest version of each cohort and week",
  columns: weeklyRetentionColumns,
  query: (project, dataset) => retentionSql(project, dataset, "TRUE"),
};

/** One row per event: of the rows with the same event_id, the one received first. */
export const eventsUniqueView: View = {
  name: "events_unique",
  description: "One row per event_id: the one received first",
  columns: eventColumns,
  query: (project, dataset) => `
SELECT ${Object.keys(eventColumns).join(", ")}
FROM ${tableReference(project, dataset, eventsTable.name)}
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY received_at, event_time, session_id) = 1`,
};

/** A view of the rows of breakdowns that a refresh has written for the active generation. */
function refreshedView(name: string, period: "day" | "hour", table: Table, columns: ViewColumns): View {
  return {
    name,
    description: `Events, persons and sessions of each ${period} of the active generation by the values of dimensions`,
    columns,
    query: (project, dataset) => `
SELECT ${Object.keys(columns).join(", ")}
FROM ${tableReference(project, dataset, table.name)}
WHERE dimension != '${REFRESH}' AND generation IN (${activeGenerationSql(project, dataset)})`,
  };
}

export const breakdownsView = refreshedView("breakdowns", "day", dailyBreakdownsTable, breakdownColumns);

export const hoursView = refreshedView("hours", "hour", hourlyEventsTable, hourColumns);

/** In the order in which they are created: a view reads those before it. */
export const views: readonly View[] = [
  dailyRollupLatestView,
  dailyRollupsView,
  dailyRollupsAllView,
  eventsUniqueView,
  weeklyRetentionLatestView,
  weeklyRetentionView,
  weeklyRetentionAllView,
  breakdownsView,
  hoursView,
];
