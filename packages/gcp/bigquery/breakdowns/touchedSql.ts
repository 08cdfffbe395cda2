import { ALL } from "./dimensions";
import {
  activityOf,
  dailyOf,
  dateOf,
  eventsOf,
  hashOf,
  hourlyOf,
  linksSql,
  secretSql,
  type RefreshedDays,
  type RefreshScope,
} from "./scope";
import { linkTotalsSql } from "./sourceSql";

/** A table for WITH: what each table of breakdowns was computed from, by day. `kind` names the table. */
function recordedSql(scope: RefreshScope): string {
  const ofTable = (kind: string, table: string): string =>
    `SELECT '${kind}' AS kind, date, IFNULL(MAX(source_rows), '') AS source_rows, MAX(source_links) AS source_links
  FROM ${table}
  WHERE generation = ${scope.generation} AND dimension = '${ALL}'
  GROUP BY date`;
  return `recorded AS (
  ${ofTable("daily", dailyOf(scope))}
  UNION ALL
  ${ofTable("hourly", hourlyOf(scope))}
)`;
}

/**
 * SQL of the days whose number of rows, by received_date, is not the one that was counted: `date` and `source_rows`, the numbers now. Of
 * partitions before `since` the numbers are taken from the last refresh.
 */
export function touchedByRowsSql(scope: RefreshScope): string {
  const { since, all } = scope;
  return `
WITH ${recordedSql(scope)},
numbers AS (
  SELECT 'now' AS kind, ${dateOf(scope)} AS date, received_date, COUNT(*) AS n
  FROM ${eventsOf(scope)}
  WHERE received_date >= ${since}
  GROUP BY 2, 3
  UNION ALL
  SELECT kind, date, CAST(SUBSTR(entry, 1, 10) AS DATE) AS received_date, CAST(SUBSTR(entry, 12) AS INT64) AS n
  FROM recorded, UNNEST(SPLIT(source_rows, ',')) AS entry
  WHERE entry != ''
),
partitions AS (
  SELECT
    date,
    received_date,
    SUM(IF(kind = 'now', n, 0)) AS rows_now,
    SUM(IF(kind = 'daily', n, 0)) AS rows_daily,
    SUM(IF(kind = 'hourly', n, 0)) AS rows_hourly
  FROM numbers
  GROUP BY date, received_date
),
days AS (
  SELECT
    date,
    LOGICAL_OR(received_date >= ${since} AND (rows_now != rows_daily OR rows_now != rows_hourly)) AS is_touched,
    STRING_AGG(
      CONCAT(CAST(received_date AS STRING), '=', CAST(IF(received_date >= ${since}, rows_now, rows_daily) AS STRING)), ','
      ORDER BY received_date
    ) AS source_rows
  FROM partitions
  GROUP BY date
)
SELECT date, source_rows
FROM days
WHERE is_touched OR ${all}
ORDER BY date`;
}

/** SQL of the days of anonymous ids that were seen with a user since the days were computed: `date` and `source_rows`, as recorded. */
export function touchedByLinksSql(scope: RefreshScope): string {
  return `
WITH ${recordedSql(scope)},
${linksSql(scope)},
${linkTotalsSql(scope, "TRUE")}
SELECT date, MAX(IF(kind = 'daily', source_rows, NULL)) AS source_rows
FROM recorded
LEFT JOIN (SELECT date AS link_date, source_links AS links_now FROM link_totals) AS present ON link_date = date
GROUP BY date
HAVING LOGICAL_OR(IFNULL(source_links, 0) != IFNULL(links_now, 0))
ORDER BY date`;
}

/** The statement that adds what the rows of days tell about anonymous ids. */
export function addActivitySql(scope: RefreshScope, days: RefreshedDays): string {
  const columns = "generation, date, anonymous_id, user_id, written_date";
  return `
INSERT INTO ${activityOf(scope)} (${columns})
WITH ${secretSql(scope)},
seen AS (
  SELECT DISTINCT ${dateOf(scope)} AS date, anonymous_id, user_id
  FROM ${eventsOf(scope)}
  WHERE ${days.isUtcDay("event_date")} AND received_date >= ${days.receivedSince} AND received_date >= ${scope.since}
    AND ${days.isDay(dateOf(scope))} AND anonymous_id IS NOT NULL
),
hashed AS (
  SELECT date, ${hashOf("anonymous_id")} AS anonymous_id, IF(user_id IS NULL, NULL, ${hashOf("IFNULL(user_id, '')")}) AS user_id
  FROM seen
  CROSS JOIN secret
)
SELECT ${scope.generation} AS generation, hashed.date, hashed.anonymous_id, hashed.user_id, DATE(${scope.startedAt}) AS written_date
FROM hashed
LEFT JOIN (
  SELECT DISTINCT date, anonymous_id, user_id
  FROM ${activityOf(scope)}
  WHERE generation = ${scope.generation} AND ${days.isDay("date")}
) AS known
  ON known.date = hashed.date AND known.anonymous_id = hashed.anonymous_id AND IFNULL(known.user_id, '') = IFNULL(hashed.user_id, '')
WHERE known.date IS NULL`;
}
