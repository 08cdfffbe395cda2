import { dailyBreakdownsTable, hourlyEventsTable } from "../tables";
import { ALL, REFRESH } from "./dimensions";
import { dailyOf, hourlyOf, type RefreshedDays, type RefreshScope } from "./scope";
import { sourceSql } from "./sourceSql";

/** The partition of the rows of {@link REFRESH}. It never changes: BigQuery refuses concurrent changes of the same partition. */
export const REFRESH_DATE = "DATE '1970-01-01'";

/** What the row of the last refresh has after a statement, as SQL expressions. */
export interface RefreshRow {
  /** STRING: the dimensions that all days have, separated by commas. */
  readonly dimensionList: string;
  /** TIMESTAMP: start of the last complete refresh. */
  readonly refreshedAt: string;
}

/** Distinct things (persons or sessions) of each day and dimension: how many have an event with the value of a rank, and how many end there. */
function rankedSql(name: string, thing: string, join: string): string {
  return `${name}_values AS (
  SELECT DISTINCT cells.date AS date, cells.dimension AS dimension, cells.value AS value, ${thing}
  FROM cells
  ${join}
),
${name}_ranks AS (
  SELECT ${name}_values.date AS date, ${name}_values.dimension AS dimension, rank, ${thing}
  FROM ${name}_values
  JOIN ranked ON ranked.date = ${name}_values.date AND ranked.dimension = ${name}_values.dimension AND ranked.value = ${name}_values.value
),
${name}_counts AS (
  SELECT date, dimension, rank, COUNT(*) AS ${name}
  FROM ${name}_ranks
  GROUP BY date, dimension, rank
),
${name}_ends AS (
  SELECT date, dimension, rank, COUNT(*) AS ends
  FROM (SELECT date, dimension, MAX(rank) AS rank FROM ${name}_ranks GROUP BY date, dimension, ${thing})
  GROUP BY date, dimension, rank
)`;
}

const SESSION = "session_id, is_bot, session_number";
const JOIN_PERSONS = `JOIN persons_of ON persons_of.user_id = cells.user_id AND persons_of.anonymous_id = cells.anonymous_id`;

/** Things whose greatest rank is greater: they have an event with a value of a greater rank. */
const below = (name: string): string =>
  `IFNULL(SUM(IFNULL(${name}_ends.ends, 0)) OVER (PARTITION BY ranked.date, ranked.dimension ORDER BY ranked.rank DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)`;

const joinRank = (name: string): string =>
  `LEFT JOIN ${name} ON ${name}.date = ranked.date AND ${name}.dimension = ranked.dimension AND ${name}.rank = ranked.rank`;

/** SQL of the rows of some days in `daily_breakdowns`. A day of which only bots are known has a row of zeros. */
export function dailyRowsSql(scope: RefreshScope, days: RefreshedDays): string {
  return `
WITH ${sourceSql(scope, days, "day")},
sums AS (
  SELECT date, dimension, value, SUM(events) AS events
  FROM cells
  GROUP BY date, dimension, value
  UNION ALL
  SELECT date, '${ALL}' AS dimension, '${ALL}' AS value, 0 AS events
  FROM (SELECT DISTINCT date FROM rows_of_days)
),
ranked AS (
  SELECT date, dimension, value, events, ROW_NUMBER() OVER (PARTITION BY date, dimension ORDER BY events DESC, value) AS rank
  FROM (SELECT date, dimension, value, SUM(events) AS events FROM sums GROUP BY date, dimension, value)
),
${rankedSql("persons", "person", JOIN_PERSONS)},
${rankedSql("sessions", SESSION, "")}
SELECT
  ${scope.generation} AS generation, ranked.date AS date, ranked.dimension AS dimension, ranked.value AS value, ranked.events AS events,
  IFNULL(persons_counts.persons, 0) AS persons, IFNULL(sessions_counts.sessions, 0) AS sessions, ranked.rank AS rank,
  ${below("persons")} AS persons_below,
  ${below("sessions")} AS sessions_below,
  ${scope.startedAt} AS refreshed_at, DATE(${scope.startedAt}) AS written_date,
  IF(ranked.dimension = '${ALL}', sources.source_rows, NULL) AS source_rows,
  IF(ranked.dimension = '${ALL}', IFNULL(link_totals.source_links, 0), NULL) AS source_links
FROM ranked
${joinRank("persons_counts")}
${joinRank("persons_ends")}
${joinRank("sessions_counts")}
${joinRank("sessions_ends")}
LEFT JOIN UNNEST(${days.sources}) AS sources ON sources.date = ranked.date
LEFT JOIN link_totals ON link_totals.date = ranked.date`;
}

/** SQL of the rows of some days in `hourly_events`. */
export function hourlyRowsSql(scope: RefreshScope, days: RefreshedDays): string {
  const keys = "date, hour, dimension, value";
  return `
WITH ${sourceSql(scope, days, "hour")},
sums AS (
  SELECT ${keys}, events, 0 AS persons, 0 AS sessions
  FROM cells
  UNION ALL
  SELECT date, hour, '${ALL}' AS dimension, '${ALL}' AS value, 0 AS events, 0 AS persons, 0 AS sessions
  FROM (SELECT DISTINCT date, hour FROM rows_of_days)
  UNION ALL
  SELECT ${keys}, 0 AS events, COUNT(*) AS persons, 0 AS sessions
  FROM (
    SELECT DISTINCT ${keys}, person
    FROM cells
    ${JOIN_PERSONS}
  )
  GROUP BY ${keys}
  UNION ALL
  SELECT ${keys}, 0 AS events, 0 AS persons, COUNT(*) AS sessions
  FROM (SELECT DISTINCT ${keys}, ${SESSION} FROM cells)
  GROUP BY ${keys}
),
totals AS (
  SELECT ${keys}, SUM(events) AS events, SUM(persons) AS persons, SUM(sessions) AS sessions
  FROM sums
  GROUP BY ${keys}
)
SELECT
  ${scope.generation} AS generation, totals.date AS date, hour, dimension, value, events, persons, sessions,
  ${scope.startedAt} AS refreshed_at, DATE(${scope.startedAt}) AS written_date,
  IF(dimension = '${ALL}', sources.source_rows, NULL) AS source_rows,
  IF(dimension = '${ALL}', IFNULL(link_totals.source_links, 0), NULL) AS source_links
FROM totals
LEFT JOIN UNNEST(${days.sources}) AS sources ON sources.date = totals.date
LEFT JOIN link_totals ON link_totals.date = totals.date`;
}

const DAILY_COLUMNS = dailyBreakdownsTable.columns.map(({ name }) => name);
const HOURLY_COLUMNS = hourlyEventsTable.columns.map(({ name }) => name);

/** SQL of the row of {@link REFRESH}, with the columns of a table in their order. */
function refreshRowSql(
  scope: RefreshScope,
  columns: readonly string[],
  { dimensionList, refreshedAt }: RefreshRow,
): string {
  const values: Readonly<Record<string, string>> = {
    generation: scope.generation,
    date: REFRESH_DATE,
    hour: "TIMESTAMP '1970-01-01 00:00:00+00'",
    dimension: `'${REFRESH}'`,
    value: dimensionList,
    refreshed_at: refreshedAt,
    written_date: REFRESH_DATE,
    source_rows: "CAST(NULL AS STRING)",
    source_links: "CAST(NULL AS INT64)",
  };
  return `SELECT ${columns.map((column) => `${values[column] ?? "0"} AS ${column}`).join(", ")}`;
}

interface Replacement {
  readonly table: string;
  readonly columns: readonly string[];
  /** SQL of the new rows; undefined: none. */
  readonly rows: string | undefined;
  readonly days: RefreshedDays | undefined;
  readonly row: RefreshRow;
}

/**
 * One statement that replaces the rows of some days and the row of the last refresh: readers see the old rows or the new ones, and it either
 * happens or not. It always deletes the row of the last refresh, so that one of two concurrent statements fails or waits, and then
 * reads the events as they are after the other one.
 */
function replaceSql(scope: RefreshScope, { table, columns, rows, days, row }: Replacement): string {
  const list = columns.join(", ");
  const refreshRow = refreshRowSql(scope, columns, row);
  const isReplaced = `(target.dimension = '${REFRESH}'${days ? ` OR ${days.isDay("target.date")}` : ""})`;
  return `
MERGE ${table} AS target
USING (
  ${refreshRow}${rows === undefined ? "" : `\n  UNION ALL\n  SELECT ${list} FROM (${rows}\n)`}
) AS source
ON FALSE
WHEN NOT MATCHED THEN INSERT (${list}) VALUES (${list})
WHEN NOT MATCHED BY SOURCE AND target.generation = ${scope.generation} AND ${isReplaced} THEN DELETE`;
}

/** The statement that replaces the rows of days in `daily_breakdowns`. @param days undefined: none */
export function mergeDailySql(scope: RefreshScope, days: RefreshedDays | undefined, row: RefreshRow): string {
  const rows = days && dailyRowsSql(scope, days);
  return replaceSql(scope, { table: dailyOf(scope), columns: DAILY_COLUMNS, rows, days, row });
}

/** The statement that replaces the rows of days in `hourly_events`. @param days undefined: none */
export function mergeHourlySql(scope: RefreshScope, days: RefreshedDays | undefined, row: RefreshRow): string {
  const rows = days && hourlyRowsSql(scope, days);
  return replaceSql(scope, { table: hourlyOf(scope), columns: HOURLY_COLUMNS, rows, days, row });
}

/** Statements that add the row of {@link REFRESH} to a table that lacks it. Two of them, by concurrent refreshes, are replaced by one. */
export function addRefreshRowsSql(scope: RefreshScope): string[] {
  const row: RefreshRow = { dimensionList: "''", refreshedAt: "TIMESTAMP '1970-01-01 00:00:00+00'" };
  const tables = [
    { table: dailyOf(scope), columns: DAILY_COLUMNS },
    { table: hourlyOf(scope), columns: HOURLY_COLUMNS },
  ];
  return tables.map(
    ({ table, columns }) => `
INSERT INTO ${table} (${columns.join(", ")})
SELECT * FROM (${refreshRowSql(scope, columns, row)}) AS added
WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE generation = ${scope.generation} AND dimension = '${REFRESH}')`,
  );
}
