import { deadLettersTable, eventsTable } from "../tables";
import type { MeteredQueries } from "./meteredQueries";
import { table, type Scope } from "./scope";

/** Condition for dead letters that are raw events which BigQuery refused. */
export const REFUSED_EVENTS = `source = 'table ${eventsTable.name}'`;

/** SQL for the event_id of a refused raw event. It is the first field of the row, which a truncated payload has, too. */
export const REFUSED_EVENT_ID = String.raw`JSON_VALUE(REGEXP_EXTRACT(payload, r'^\{"event_id":("(?:[^"\\]|\\.)*")'), '$')`;

/** SQL for the partition of a refused raw event, its day of receipt. NULL when the payload is truncated. */
const REFUSED_RECEIVED_DATE = String.raw`REGEXP_EXTRACT(payload, r'"received_date":"(\d{4}-\d{2}-\d{2})"')`;

/** The dead letters with one error type and one kind of source. */
export interface DeadLetterGroup {
  readonly errorType: string;
  /** `event`: a raw row that BigQuery refused. `message`: a message that is not a valid event. */
  readonly kind: "event" | "message";
  readonly count: number;
  /**
   * Number of those that need attention: refused events that are not in `events`, and messages that failed after the time up to which
   * messages are acknowledged.
   */
  readonly unexplained: number;
  /** ISO 8601. */
  readonly firstFailedAt: string;
  /** ISO 8601. */
  readonly lastFailedAt: string;
}

/**
 * Counts the dead letters.
 * @param options.since YYYY-MM-DD; counts only those that failed since then. Undefined: all
 * @param options.acknowledgedUntil ISO 8601; messages that failed until then need no attention
 * @param options.completeSince YYYY-MM-DD; rows received before may be deleted, so that refused events received before need no
 *   attention. Undefined: no rows are deleted
 * @throws Error of the BigQuery client when a query fails
 */
export async function countDeadLetters(
  queries: MeteredQueries,
  scope: Scope,
  {
    since,
    acknowledgedUntil,
    completeSince,
  }: { since: string | undefined; acknowledgedUntil: string | undefined; completeSince?: string | undefined },
): Promise<DeadLetterGroup[]> {
  const acknowledged = acknowledgedUntil === undefined ? "FALSE" : `failed_at <= TIMESTAMP '${acknowledgedUntil}'`;
  const mayBeDeleted =
    completeSince === undefined ? "FALSE" : `IFNULL(${REFUSED_RECEIVED_DATE} < '${completeSince}', FALSE)`;
  const time = (aggregate: string): string =>
    `FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', ${aggregate}(failed_at)) AS ${aggregate.toLowerCase()}_failed_at`;
  const rows = await queries.run(`
WITH letters AS (
  SELECT error_type, failed_at, ${REFUSED_EVENTS} AS is_event, IF(${REFUSED_EVENTS}, ${REFUSED_EVENT_ID}, NULL) AS id,
    ${mayBeDeleted} AS may_be_deleted
  FROM ${table(scope, deadLettersTable)}
  WHERE ${since === undefined ? "TRUE" : `failed_at >= TIMESTAMP '${since}T00:00:00Z'`}
),
stored AS (
  SELECT DISTINCT event_id
  FROM ${table(scope, eventsTable)}
  WHERE event_id IN (SELECT id FROM letters WHERE id IS NOT NULL)
)
SELECT
  error_type,
  IF(is_event, 'event', 'message') AS kind,
  COUNT(*) AS letters,
  COUNTIF(IF(is_event, stored.event_id IS NULL AND NOT may_be_deleted, NOT (${acknowledged}))) AS unexplained,
  ${time("MIN")},
  ${time("MAX")}
FROM letters
LEFT JOIN stored ON stored.event_id = letters.id
GROUP BY 1, 2
ORDER BY 1, 2`);
  return rows.map((row) => ({
    errorType: row.text("error_type"),
    kind: row.text("kind") === "event" ? "event" : "message",
    count: row.number("letters"),
    unexplained: row.number("unexplained"),
    firstFailedAt: row.text("min_failed_at"),
    lastFailedAt: row.text("max_failed_at"),
  }));
}
