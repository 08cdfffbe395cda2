import { MAX_LINKED_USERS } from "../verify/personDays";
import { ALL, NO_VALUE, PROPERTY_PREFIX } from "./dimensions";
import {
  activityOf,
  dateOf,
  eventsOf,
  hashOf,
  linksSql,
  secretSql,
  type RefreshedDays,
  type RefreshScope,
} from "./scope";

/** Maximum length of a value, in characters. */
export const MAX_VALUE_LENGTH = 256;

/**
 * SQL for the value of a dimension in a row of events. A property that is an object or array counts as its JSON text; one that is null as
 * absent.
 */
function valueOf(dimension: string): string {
  const isProperty = dimension.startsWith(PROPERTY_PREFIX);
  const path = `'$."${dimension.slice(PROPERTY_PREFIX.length)}"'`;
  const text = isProperty
    ? `IFNULL(JSON_VALUE(properties, ${path}), NULLIF(TO_JSON_STRING(JSON_QUERY(properties, ${path})), 'null'))`
    : dimension;
  return `IFNULL(SUBSTR(${text}, 1, ${MAX_VALUE_LENGTH}), '${NO_VALUE}')`;
}

/**
 * SQL for the start of the hour of an event: hours are counted from the start of its day, so that each has 60 minutes also where clocks change
 * by half an hour.
 */
const HOUR = "TIMESTAMP_ADD(day_start, INTERVAL DIV(day_ms, 3600000) HOUR)";

/**
 * Tables for WITH, from which both tables of breakdowns are computed, for some days:
 *
 * - `rows_of_days`: the rows of the days. `is_first`: of the rows of an event_id and day, the one that decides about its values, as in the
 *   view events_unique. `session_number` tells apart the sessions of a session_id, day and class (bots or people)
 * - `cells`: distinct combinations of value, user, anonymous id and session, with the number of events; for the dimension (all) from all
 *   rows, as the daily rollups, else from the first ones. Empty ids mean none
 * - `persons_of`: the persons for whom an event with a user and an anonymous id counts, by the rules of docs/numbers.md
 * - `link_totals`: links of the anonymous ids of each day
 *
 * @param period columns that the cells are grouped by: the day, or the day and hour
 */
export function sourceSql(scope: RefreshScope, days: RefreshedDays, period: "day" | "hour"): string {
  const keys = period === "day" ? "date" : "date, hour";
  const values = [`STRUCT('${ALL}' AS dimension, '${ALL}' AS value)`];
  scope.dimensions.forEach((dimension, i) => values.push(`STRUCT('${dimension}' AS dimension, value_${i} AS value)`));
  return `${secretSql(scope)},
${linksSql(scope)},
raw AS (
  SELECT
    event_id, session_id, IFNULL(user_id, '') AS user_id, IFNULL(anonymous_id, '') AS anonymous_id, IFNULL(is_bot, FALSE) AS is_bot,
    ${dateOf(scope)} AS date, TIMESTAMP_TRUNC(event_time, DAY, ${scope.timeZone}) AS day_start, event_time,
    UNIX_MILLIS(event_time) AS ms, received_at${scope.dimensions
      .map((dimension, i) => `,\n    ${valueOf(dimension)} AS value_${i}`)
      .join("")}
  FROM ${eventsOf(scope)}
  WHERE ${days.isUtcDay("event_date")} AND received_date >= ${days.receivedSince} AND ${days.isDay(dateOf(scope))}
),
steps AS (
  SELECT
    *,
    ms - UNIX_MILLIS(day_start) AS day_ms,
    ROW_NUMBER() OVER (PARTITION BY date, event_id ORDER BY received_at, event_time, session_id) = 1 AS is_first,
    ms - LAG(ms) OVER (PARTITION BY date, session_id, is_bot ORDER BY ms) AS step
  FROM raw
),
rows_of_days AS (
  SELECT
    *,
    ${period === "hour" ? `${HOUR} AS hour,` : ""}
    SUM(IF(step IS NULL OR step >= ${scope.gapMs}, 1, 0)) OVER (PARTITION BY date, session_id, is_bot ORDER BY ms) AS session_number
  FROM steps
),
cells AS (
  SELECT
    ${keys}, one.dimension AS dimension, one.value AS value, user_id, anonymous_id, session_id, is_bot, session_number,
    IF(is_first, 1, 0) AS events
  FROM rows_of_days, UNNEST([${values.join(", ")}]) AS one
  WHERE (${scope.countBots} OR NOT is_bot) AND (is_first OR one.dimension = '${ALL}')
),
pairs AS (
  SELECT user_id, anonymous_id, ${hashOf("user_id")} AS user_hash, ${hashOf("anonymous_id")} AS anonymous_hash
  FROM (SELECT DISTINCT user_id, anonymous_id FROM rows_of_days)
  CROSS JOIN secret
),
link_counts AS (
  SELECT anonymous_id, COUNT(*) AS users
  FROM links
  GROUP BY anonymous_id
),
persons_of AS (
  SELECT user_id, anonymous_id, CONCAT('u', user_hash) AS person
  FROM pairs
  WHERE user_id != ''
  UNION DISTINCT
  SELECT pairs.user_id, pairs.anonymous_id, CONCAT('u', links.user_id) AS person
  FROM pairs
  JOIN links ON links.anonymous_id = pairs.anonymous_hash
  JOIN link_counts ON link_counts.anonymous_id = pairs.anonymous_hash
  WHERE pairs.anonymous_id != '' AND link_counts.users <= ${MAX_LINKED_USERS}
  UNION DISTINCT
  SELECT pairs.user_id, pairs.anonymous_id, CONCAT('a', anonymous_hash) AS person
  FROM pairs
  LEFT JOIN link_counts ON link_counts.anonymous_id = pairs.anonymous_hash
  WHERE pairs.anonymous_id != '' AND link_counts.anonymous_id IS NULL
),
${linkTotalsSql(scope, days.isDay("date"))}`;
}

/** A table for WITH, after `links`: for each day the number of links of the anonymous ids that were seen on it. */
export function linkTotalsSql(scope: RefreshScope, condition: string): string {
  return `link_totals AS (
  SELECT date, COUNT(*) AS source_links
  FROM (SELECT DISTINCT date, anonymous_id FROM ${activityOf(scope)} WHERE generation = ${scope.generation} AND ${condition}) AS seen
  JOIN links ON links.anonymous_id = seen.anonymous_id
  GROUP BY date
)`;
}
