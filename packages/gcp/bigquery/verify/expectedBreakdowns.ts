import { PROPERTY_PREFIX } from "../breakdowns/dimensions";
import { eventsTable } from "../tables";
import { dateIn } from "../zone/zoneRules";
import { MAX_LINKED_USERS } from "./personDays";
import { onDays, table, utcDaysOf, type Scope } from "./scope";

const MAX_VALUE_LENGTH = 256;

function valueSql(dimension: string): string {
  if (!dimension.startsWith(PROPERTY_PREFIX)) return `IFNULL(SUBSTR(${dimension}, 1, ${MAX_VALUE_LENGTH}), '(none)')`;
  const path = `'$."${dimension.slice(PROPERTY_PREFIX.length)}"'`;
  const scalar = `JSON_VALUE(properties, ${path})`;
  const whole = `TO_JSON_STRING(JSON_QUERY(properties, ${path}))`;
  return `CASE WHEN ${scalar} IS NOT NULL THEN SUBSTR(${scalar}, 1, ${MAX_VALUE_LENGTH})
    WHEN ${whole} IS NULL OR ${whole} = 'null' THEN '(none)' ELSE SUBSTR(${whole}, 1, ${MAX_VALUE_LENGTH}) END`;
}

/**
 * Tables for WITH, from the raw events alone, following the definitions of docs/numbers.md, without anything that a refresh has written.
 * Parameter `gap_ms`: the session gap.
 *
 * - `counted`: the rows of the compared days that count, once for each dimension, with the start of their session and whether they decide
 *   about the value of their event
 * - `person_rows`: the persons of these rows
 */
function countedSql(scope: Scope, dimensions: readonly string[]): string {
  const { timeZone, days, countBots } = scope;
  const date = dateIn(timeZone, "event_time");
  const dayStart = timeZone === "UTC" ? "TIMESTAMP(date)" : `TIMESTAMP(date, '${timeZone}')`;
  const columns = dimensions.map((name, i) => `, ${valueSql(name)} AS v${i}`).join("");
  const ofDimension = (name: string, value: string, condition: string): string =>
    `SELECT '${name}' AS dimension, ${value} AS value, date, hour, event_id, user_id, anonymous_id, session_id, is_bot, session_start, place
  FROM sessions WHERE ${condition}`;
  const isCounted = countBots ? "TRUE" : "NOT is_bot";
  return `
picked AS (
  SELECT
    event_id, session_id, user_id, anonymous_id, IFNULL(is_bot, FALSE) AS is_bot, event_time, ${date} AS date,
    UNIX_MILLIS(event_time) AS ms, received_at${columns}
  FROM ${table(scope, eventsTable)}
  WHERE ${onDays(utcDaysOf(timeZone, days), "event_date")} AND ${onDays(days, date)}
),
placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY event_id, date ORDER BY received_at, event_time, session_id) AS place,
    LAG(ms) OVER (PARTITION BY session_id, date, is_bot ORDER BY ms) AS previous_ms,
    TIMESTAMP_DIFF(event_time, ${dayStart}, MINUTE) AS day_minute,
    ${dayStart} AS day_start
  FROM picked
),
sessions AS (
  SELECT
    *,
    TIMESTAMP_ADD(day_start, INTERVAL DIV(day_minute, 60) HOUR) AS hour,
    MAX(IF(previous_ms IS NULL OR ms - previous_ms >= @gap_ms, ms, NULL)) OVER (
      PARTITION BY session_id, date, is_bot ORDER BY ms
    ) AS session_start
  FROM placed
),
counted AS (
  ${ofDimension("(all)", "'(all)'", isCounted)}
  ${dimensions.map((name, i) => `UNION ALL ${ofDimension(name, `v${i}`, `${isCounted} AND place = 1`)}`).join("\n  ")}
),
links AS (
  SELECT DISTINCT anonymous_id, user_id
  FROM ${table(scope, eventsTable)}
  WHERE anonymous_id IS NOT NULL AND user_id IS NOT NULL
),
link_counts AS (
  SELECT anonymous_id, COUNT(*) AS users
  FROM links
  GROUP BY anonymous_id
),
person_rows AS (
  SELECT dimension, value, date, hour, 'user' AS kind, user_id AS id
  FROM counted
  WHERE user_id IS NOT NULL
  UNION DISTINCT
  SELECT dimension, value, date, hour, 'user' AS kind, links.user_id AS id
  FROM counted
  JOIN links ON links.anonymous_id = counted.anonymous_id
  JOIN link_counts ON link_counts.anonymous_id = counted.anonymous_id
  WHERE link_counts.users <= ${MAX_LINKED_USERS}
  UNION DISTINCT
  SELECT dimension, value, date, hour, 'anonymous' AS kind, counted.anonymous_id AS id
  FROM counted
  LEFT JOIN link_counts ON link_counts.anonymous_id = counted.anonymous_id
  WHERE counted.anonymous_id IS NOT NULL AND link_counts.anonymous_id IS NULL
)`;
}

const SESSION = "session_id, is_bot, session_start";

/** SQL of the expected hours: dimension, value, date, hour, events, persons, sessions. Without rows of zeros. */
export function expectedHoursSql(scope: Scope, dimensions: readonly string[]): string {
  const keys = "dimension, value, date, hour";
  return `
WITH ${countedSql(scope, dimensions)}
SELECT ${keys}, SUM(events) AS events, SUM(persons) AS persons, SUM(sessions) AS sessions
FROM (
  SELECT ${keys}, COUNTIF(place = 1) AS events, 0 AS persons, 0 AS sessions FROM counted GROUP BY ${keys}
  UNION ALL
  SELECT ${keys}, 0, COUNT(*), 0 FROM person_rows GROUP BY ${keys}
  UNION ALL
  SELECT ${keys}, 0, 0, COUNT(*) FROM (SELECT DISTINCT ${keys}, ${SESSION} FROM counted) GROUP BY ${keys}
)
GROUP BY ${keys}`;
}

/** SQL of the expected days: dimension, value, date, and the numbers of `daily_breakdowns`. Without rows of zeros. */
export function expectedDaysSql(scope: Scope, dimensions: readonly string[]): string {
  const keys = "dimension, value, date";
  /** Of distinct things, those whose worst place is after each place. */
  const after = (name: string, thing: string): string => `
${name}_worst AS (
  SELECT dimension, date, worst, COUNT(*) AS n
  FROM (
    SELECT ranks.dimension AS dimension, ranks.date AS date, MAX(rank) AS worst
    FROM ${name} JOIN ranks ON ranks.dimension = ${name}.dimension AND ranks.date = ${name}.date AND ranks.value = ${name}.value
    GROUP BY ranks.dimension, ranks.date, ${thing}
  )
  GROUP BY dimension, date, worst
),
${name}_after AS (
  SELECT ranks.dimension AS dimension, ranks.date AS date, ranks.rank AS rank, IFNULL(SUM(n), 0) AS ${name}_below
  FROM ranks
  LEFT JOIN ${name}_worst AS w ON w.dimension = ranks.dimension AND w.date = ranks.date AND w.worst > ranks.rank
  GROUP BY ranks.dimension, ranks.date, ranks.rank
)`;
  return `
WITH ${countedSql(scope, dimensions)},
persons AS (SELECT DISTINCT ${keys}, kind, id FROM person_rows),
visits AS (SELECT DISTINCT ${keys}, ${SESSION} FROM counted),
event_counts AS (SELECT ${keys}, COUNTIF(place = 1) AS events FROM counted GROUP BY ${keys}),
person_counts AS (SELECT ${keys}, COUNT(*) AS persons FROM persons GROUP BY ${keys}),
visit_counts AS (SELECT ${keys}, COUNT(*) AS sessions FROM visits GROUP BY ${keys}),
ranks AS (
  SELECT ${keys}, events, RANK() OVER (PARTITION BY dimension, date ORDER BY events DESC, value) AS rank
  FROM event_counts
),${after("persons", "kind, id")},${after("visits", SESSION)}
SELECT
  ranks.dimension AS dimension, ranks.value AS value, ranks.date AS date, ranks.events AS events, IFNULL(persons, 0) AS persons,
  IFNULL(sessions, 0) AS sessions, ranks.rank AS rank, persons_below, visits_below AS sessions_below
FROM ranks
LEFT JOIN person_counts AS p ON p.dimension = ranks.dimension AND p.date = ranks.date AND p.value = ranks.value
LEFT JOIN visit_counts AS s ON s.dimension = ranks.dimension AND s.date = ranks.date AND s.value = ranks.value
JOIN persons_after AS pa ON pa.dimension = ranks.dimension AND pa.date = ranks.date AND pa.rank = ranks.rank
JOIN visits_after AS va ON va.dimension = ranks.dimension AND va.date = ranks.date AND va.rank = ranks.rank`;
}
