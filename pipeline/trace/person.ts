import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { MAX_LINKED_USERS, type TracedPerson, type TracedRow } from "./trace";

/** For whom an event with these ids counts, when any events link the anonymous id to these users. */
export function personOf(
  { user_id: userId, anonymous_id: anonymousId }: Pick<TracedRow, "user_id" | "anonymous_id">,
  linkedUsers: readonly string[],
): TracedPerson {
  const isShared = linkedUsers.length > MAX_LINKED_USERS;
  const users = new Set([...(userId === null ? [] : [userId]), ...(isShared ? [] : linkedUsers)]);
  const isAnonymous = users.size === 0 && anonymousId !== null && !isShared;
  const countsFor = isAnonymous
    ? [{ kind: "anonymous" as const, id: anonymousId }]
    : [...users].map((id) => ({ kind: "user" as const, id }));
  return { userId, anonymousId, linkedUsers, isShared, countsFor };
}

/** Reads the links of the anonymous id of an event, from events of all times: links have no age. */
export async function readPerson(bigquery: BigQuery, dataset: string, row: TracedRow): Promise<TracedPerson> {
  if (row.anonymous_id === null) return personOf(row, []);
  const rows = await runQuery(
    bigquery,
    `SELECT DISTINCT user_id FROM ${tableReference(bigquery.projectId, dataset, eventsTable.name)}
WHERE anonymous_id = @anonymousId AND user_id IS NOT NULL ORDER BY user_id LIMIT ${MAX_LINKED_USERS + 1}`,
    { anonymousId: row.anonymous_id },
  );
  return personOf(row, rows.map((found) => found.text("user_id"))); // prettier-ignore
}
