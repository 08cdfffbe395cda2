import { createHash } from "node:crypto";
import type { BigQuery } from "@google-cloud/bigquery";
import { dayOf, dayToIso, timeToIso } from "@eventlogger/events/day";
import { HASH_DIGITS } from "@eventlogger/events/accepted/acceptedIds";
import { runQuery, streamQuery, type ResultRow } from "@eventlogger/gcp/bigquery/query";
import { acceptedIdsTable, deadLettersTable, eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import type { Trace, TracedDeadLetter, TracedRow } from "./trace";

/** Rows of one event, and dead letters of one event, that are shown. An event has one, or a few after redeliveries. */
const MAX_FOUND = 20;

function tracedRow(row: ResultRow): TracedRow {
  const original = row.textOrNull("original_ms");
  return {
    event_id: row.text("event_id"),
    session_id: row.text("session_id"),
    event_name: row.text("event_name"),
    event_time: timeToIso(row.number("event_ms")),
    event_date: row.text("event_date"),
    original_event_time: original === null ? null : timeToIso(Number(original)),
    user_id: row.textOrNull("user_id"),
    anonymous_id: row.textOrNull("anonymous_id"),
    page: row.textOrNull("page"),
    country: row.textOrNull("country"),
    region: row.textOrNull("region"),
    city: row.textOrNull("city"),
    app: row.textOrNull("app"),
    platform: row.textOrNull("platform"),
    is_bot: row.number("bot") === 1,
    received_at: timeToIso(row.number("received_ms")),
    received_date: row.text("received_date"),
  };
}

/** The rows of an event in the table `events`, oldest first. @param since UTC day of receipt, YYYY-MM-DD */
export async function readRows(
  bigquery: BigQuery,
  dataset: string,
  eventId: string,
  since: string,
): Promise<TracedRow[]> {
  const rows = await runQuery(
    bigquery,
    `SELECT event_id, session_id, event_name, UNIX_MILLIS(event_time) AS event_ms, event_date,
  CAST(UNIX_MILLIS(original_event_time) AS STRING) AS original_ms, user_id, anonymous_id, page, country, region, city, app,
  platform, IF(IFNULL(is_bot, FALSE), 1, 0) AS bot, UNIX_MILLIS(received_at) AS received_ms, received_date
FROM ${tableReference(bigquery.projectId, dataset, eventsTable.name)}
WHERE received_date >= DATE '${since}' AND event_id = @eventId ORDER BY received_at LIMIT ${MAX_FOUND}`,
    { eventId },
  );
  return rows.map(tracedRow);
}

/** Whether a payload is that of an event; one that is not JSON, or was truncated, when it contains the id in quotation marks. */
export function hasEventId(payload: string, eventId: string): boolean {
  try {
    const value = JSON.parse(payload) as { event_id?: unknown } | null;
    return String(value?.event_id) === eventId;
  } catch {
    return payload.includes(JSON.stringify(eventId));
  }
}

/**
 * The dead letters whose payload contains an event id, oldest first.
 * @param since UTC day on which they failed, YYYY-MM-DD
 */
export async function readDeadLetters(
  bigquery: BigQuery,
  dataset: string,
  eventId: string,
  since: string,
): Promise<TracedDeadLetter[]> {
  // A payload that is not UTF-8 is base64: its text cannot be compared in SQL on every emulator.
  const rows = streamQuery(
    bigquery,
    `SELECT error_type, error_message, payload, payload_encoding, source, UNIX_MILLIS(failed_at) AS failed_ms
FROM ${tableReference(bigquery.projectId, dataset, deadLettersTable.name)}
WHERE failed_at >= TIMESTAMP '${since}T00:00:00Z' AND (payload_encoding = 'base64' OR STRPOS(payload, @eventId) > 0)
ORDER BY failed_at`,
    // Ids in JSON are escaped, so that an id with a quotation mark or a line end is found, too.
    { eventId: JSON.stringify(eventId).slice(1, -1) },
  );
  const found: TracedDeadLetter[] = [];
  for await (const row of rows) {
    const encoding = row.text("payload_encoding") === "base64" ? "base64" : "utf8";
    if (!hasEventId(Buffer.from(row.text("payload"), encoding).toString("utf8"), eventId)) continue;
    found.push({
      errorType: row.text("error_type"),
      errorMessage: row.text("error_message"),
      source: row.text("source"),
      failedAt: timeToIso(row.number("failed_ms")),
    });
    if (found.length === MAX_FOUND) break;
  }
  return found;
}

/** Whether the record of accepted events has an event. */
export async function readAcceptedRecord(
  bigquery: BigQuery,
  dataset: string,
  row: TracedRow,
): Promise<Trace["acceptedRecord"]> {
  const hash = createHash("sha256").update(row.event_id).digest("hex").slice(0, HASH_DIGITS);
  const day = dayToIso(dayOf(Date.parse(row.event_time)));
  const [counts] = await runQuery(
    bigquery,
    `SELECT COUNTIF(STRPOS(hashes, @hash) > 0) AS recorded, COUNT(*) AS bundles
FROM ${tableReference(bigquery.projectId, dataset, acceptedIdsTable.name)} WHERE event_date = DATE '${day}'`,
    { hash },
  );
  if (!counts || counts.number("bundles") === 0) return "not_recorded";
  return counts.number("recorded") > 0 ? "recorded" : "not_sampled";
}
