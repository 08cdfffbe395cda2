import { averageMinutesSql, averageSecondsSql } from "../averages";
import { eventsTable } from "../tables";
import { dateIn } from "../zone/zoneRules";
import { personDaysSql } from "./personDays";
import { onDays, table, utcDaysOf, type Scope } from "./scope";

/** The days of weekly and monthly active users. */
export const WEEKLY_DAYS = 7;
export const MONTHLY_DAYS = 30;

/**
 * SQL that computes the daily numbers from the raw events alone, following their definitions. Parameter `gap_ms`: the session gap.
 *
 * - The time between two neighbouring events of a session_id, day and class (bots or people) either adds to the duration of a
 *   session or starts a new session.
 * - A person who is active on a day counts as weekly active from that day until 7 days later, or until the next active day. So the weekly
 *   active users of a day are the sum of those who begin minus those who end, up to that day.
 * - Persons depend on all events, so that the ids of the whole table are read, whatever the compared days.
 * - `direct_user_count` are the persons who have events of the day with their own user id, and `anonymous_id_count` the anonymous ids of
 *   the day: they bound other numbers when rows are deleted.
 */
export function expectedRollupsSql(scope: Scope): string {
  const { timeZone, days, countBots } = scope;
  const date = dateIn(timeZone, "event_time");
  const isCounted = countBots ? "TRUE" : "NOT is_bot";
  const startsSession = "(step IS NULL OR step >= @gap_ms)";
  return `
WITH raw AS (
  SELECT session_id, user_id, anonymous_id, IFNULL(is_bot, FALSE) AS is_bot, ${date} AS date, UNIX_MILLIS(event_time) AS ms
  FROM ${table(scope, eventsTable)}
  WHERE ${onDays(utcDaysOf(timeZone, days), "event_date")} AND ${onDays(days, date)}
),
steps AS (
  SELECT date, is_bot, ms - LAG(ms) OVER (PARTITION BY session_id, date, is_bot ORDER BY ms) AS step
  FROM raw
),
sessions AS (
  SELECT
    date,
    COUNTIF(${startsSession} AND ${isCounted}) AS session_count,
    SUM(IF(${startsSession} OR NOT (${isCounted}), 0, step)) AS session_duration_ms,
    COUNTIF(${startsSession} AND is_bot) AS bot_session_count
  FROM steps
  GROUP BY date
),
direct AS (
  SELECT
    date,
    COUNT(DISTINCT IF(${isCounted}, user_id, NULL)) AS direct_user_count,
    COUNT(DISTINCT anonymous_id) AS anonymous_id_count
  FROM raw
  GROUP BY date
),
${personDaysSql(scope)},
active AS (
  SELECT date, COUNT(*) AS active_user_count, COUNTIF(kind = 'anonymous') AS anonymous_user_count
  FROM counted
  GROUP BY date
),
bots AS (
  SELECT date, COUNT(*) AS bot_user_count
  FROM person_days
  WHERE is_bot
  GROUP BY date
),
first_days AS (
  SELECT date, COUNT(*) AS new_user_count
  FROM (SELECT kind, id, MIN(date) AS date FROM counted GROUP BY kind, id)
  GROUP BY date
),
spans AS (
  SELECT UNIX_DATE(date) AS day, LEAD(UNIX_DATE(date)) OVER (PARTITION BY kind, id ORDER BY date) AS next_day
  FROM counted
),
changes AS (
  SELECT UNIX_DATE(date) AS day, 0 AS weekly, 0 AS monthly, new_user_count AS users FROM first_days
  UNION ALL
  SELECT UNIX_DATE(date) AS day, 0 AS weekly, 0 AS monthly, 0 AS users FROM sessions
  UNION ALL
  SELECT day, 1 AS weekly, 1 AS monthly, 0 AS users FROM spans
  UNION ALL
  SELECT LEAST(day + ${WEEKLY_DAYS}, IFNULL(next_day, day + ${WEEKLY_DAYS})) AS day, -1 AS weekly, 0 AS monthly, 0 AS users
  FROM spans
  UNION ALL
  SELECT LEAST(day + ${MONTHLY_DAYS}, IFNULL(next_day, day + ${MONTHLY_DAYS})) AS day, 0 AS weekly, -1 AS monthly, 0 AS users
  FROM spans
),
running AS (
  SELECT day, SUM(weekly) OVER (ORDER BY day) AS wau, SUM(monthly) OVER (ORDER BY day) AS mau, SUM(users) OVER (ORDER BY day) AS total_users
  FROM (SELECT day, SUM(weekly) AS weekly, SUM(monthly) AS monthly, SUM(users) AS users FROM changes GROUP BY day)
)
SELECT
  sessions.date AS date,
  session_count,
  session_duration_ms,
  ${averageSecondsSql("session_duration_ms", "session_count")} AS average_session_duration_sec,
  ${averageMinutesSql("session_duration_ms", "session_count")} AS average_session_duration_min,
  bot_session_count,
  IFNULL(active_user_count, 0) AS active_user_count,
  IFNULL(anonymous_user_count, 0) AS anonymous_user_count,
  IFNULL(bot_user_count, 0) AS bot_user_count,
  IFNULL(new_user_count, 0) AS new_user_count,
  total_users,
  wau,
  mau,
  direct_user_count,
  anonymous_id_count
FROM sessions
JOIN direct ON direct.date = sessions.date
JOIN running ON running.day = UNIX_DATE(sessions.date)
LEFT JOIN active ON active.date = sessions.date
LEFT JOIN bots ON bots.date = sessions.date
LEFT JOIN first_days ON first_days.date = sessions.date
ORDER BY sessions.date`;
}
