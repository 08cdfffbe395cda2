import { eventsTable } from "../tables";
import { dateIn } from "../zone/zoneRules";
import type { MeteredQueries } from "./meteredQueries";
import { table, type Scope } from "./scope";

/** An anonymous id that was seen with more users is shared by too many people: it counts for none of them. */
export const MAX_LINKED_USERS = 50;

/**
 * Tables for WITH that follow the definition of a person (docs/numbers.md) for the whole table `events`, whatever the compared days:
 * links and first days may be anywhere.
 *
 * - `seen`: distinct user, anonymous id and day of the events, with whether all of them are of bots
 * - `person_days`: one row per person and day, by `kind` (`user` or `anonymous`) and `id`. `is_bot`: all events of the day are of bots
 * - `counted`: the kind, id and day of those that count in the generation
 */
export function personDaysSql(scope: Scope): string {
  return `
seen AS (
  SELECT user_id, anonymous_id, ${dateIn(scope.timeZone, "event_time")} AS date, LOGICAL_AND(IFNULL(is_bot, FALSE)) AS is_bot
  FROM ${table(scope, eventsTable)}
  WHERE user_id IS NOT NULL OR anonymous_id IS NOT NULL
  GROUP BY 1, 2, 3
),
links AS (
  SELECT DISTINCT anonymous_id, user_id
  FROM seen
  WHERE user_id IS NOT NULL AND anonymous_id IS NOT NULL
),
link_counts AS (
  SELECT anonymous_id, COUNT(*) AS users
  FROM links
  GROUP BY anonymous_id
),
contributions AS (
  SELECT 'user' AS kind, user_id AS id, date, is_bot
  FROM seen
  WHERE user_id IS NOT NULL
  UNION ALL
  SELECT 'user' AS kind, links.user_id AS id, seen.date AS date, seen.is_bot AS is_bot
  FROM seen
  JOIN links ON links.anonymous_id = seen.anonymous_id
  JOIN link_counts ON link_counts.anonymous_id = seen.anonymous_id
  WHERE link_counts.users <= ${MAX_LINKED_USERS}
  UNION ALL
  SELECT 'anonymous' AS kind, seen.anonymous_id AS id, seen.date AS date, seen.is_bot AS is_bot
  FROM seen
  LEFT JOIN link_counts ON link_counts.anonymous_id = seen.anonymous_id
  WHERE seen.anonymous_id IS NOT NULL AND link_counts.anonymous_id IS NULL
),
person_days AS (
  SELECT kind, id, date, LOGICAL_AND(is_bot) AS is_bot
  FROM contributions
  GROUP BY kind, id, date
),
counted AS (
  SELECT kind, id, date
  FROM person_days
  WHERE ${scope.countBots ? "TRUE" : "NOT is_bot"}
)`;
}

/** Whether events have anonymous ids. @throws Error of the BigQuery client when the query fails */
export async function hasAnonymousIds(queries: MeteredQueries, scope: Scope): Promise<boolean> {
  const [row] = await queries.run(`SELECT COUNT(anonymous_id) AS n FROM ${table(scope, eventsTable)}`);
  return (row?.number("n") ?? 0) > 0;
}
