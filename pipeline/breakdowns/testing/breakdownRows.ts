import type { BigQuery } from "@google-cloud/bigquery";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { breakdownsView, hoursView, tableReference } from "@eventlogger/gcp/bigquery/views";
import { compareText, type Breakdowns } from "@eventlogger/traffic/bruteForceBreakdowns";
import { eventRow } from "../../io/bigquery/eventRow";

/** Writes rows of events, as the pipeline does: one for each delivery. */
export async function insertEvents(
  bigquery: BigQuery,
  dataset: string,
  events: readonly AnalyticsEvent[],
): Promise<void> {
  for (let i = 0; i < events.length; i += 10_000) {
    await bigquery
      .dataset(dataset)
      .table("events")
      .insert(events.slice(i, i + 10_000).map(eventRow));
  }
}

/** The rows of both views in the form and order of the brute force. */
export async function storedBreakdowns(bigquery: BigQuery, dataset: string): Promise<Breakdowns> {
  const view = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  const [days, hours] = await Promise.all([
    runQuery(bigquery, `SELECT * FROM ${view(breakdownsView.name)}`),
    runQuery(bigquery, `SELECT *, UNIX_MILLIS(hour) AS hour_ms FROM ${view(hoursView.name)}`),
  ]);
  const storedDays = days.map((row) => ({
    ...{ date: row.text("date"), dimension: row.text("dimension"), value: row.text("value") },
    ...{ events: row.number("events"), persons: row.number("persons"), sessions: row.number("sessions") },
    rank: row.number("rank"),
    ...{ persons_below: row.number("persons_below"), sessions_below: row.number("sessions_below") },
  }));
  const storedHours = hours.map((row) => ({
    ...{ date: row.text("date"), hour: row.number("hour_ms") },
    ...{ dimension: row.text("dimension"), value: row.text("value") },
    ...{ events: row.number("events"), persons: row.number("persons"), sessions: row.number("sessions") },
  }));
  storedDays.sort((a, b) => compareText(a.date, b.date) || compareText(a.dimension, b.dimension) || a.rank - b.rank);
  storedHours.sort(
    (a, b) =>
      a.hour - b.hour ||
      compareText(a.date, b.date) ||
      compareText(a.dimension, b.dimension) ||
      compareText(a.value, b.value),
  );
  return { days: storedDays, hours: storedHours };
}
