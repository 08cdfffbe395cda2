import type { BigQuery } from "@google-cloud/bigquery";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { streamQuery } from "@eventlogger/gcp/bigquery/query";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { tableReference } from "@eventlogger/gcp/bigquery/views";

/** The ids of those events that have a row in the table `events`. Reads only partitions in which the rows can be. */
export async function storedEventIds(
  bigquery: BigQuery,
  dataset: string,
  events: readonly AnalyticsEvent[],
): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const days = events.map((event) => dayOf(event.received_at));
  // Times of receipt may be wrong: a row is in the partition of its time of receipt, or of the day on which it was written.
  const from = Math.max(0, Math.min(...days));
  const to = Math.max(...days, dayOf(Date.now())) + 1;
  const rows = streamQuery(
    bigquery,
    `SELECT DISTINCT event_id FROM ${tableReference(bigquery.projectId, dataset, eventsTable.name)}
WHERE received_date BETWEEN DATE '${dayToIso(from)}' AND DATE '${dayToIso(to)}' AND event_id IN UNNEST(@ids)`,
    { ids: [...new Set(events.map((event) => event.event_id))] },
  );
  const ids = new Set<string>();
  for await (const row of rows) ids.add(row.text("event_id"));
  return ids;
}
