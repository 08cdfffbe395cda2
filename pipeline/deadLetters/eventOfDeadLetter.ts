import type { AnalyticsEvent } from "@eventlogger/events/event";
import { isTruncated } from "@eventlogger/events/deadLetter";
import { decodeMessage, type DecodedMessage } from "@eventlogger/events/eventMessage";
import type { DeadLetterRow, EventRow } from "@eventlogger/gcp/bigquery/tables";

/** The event of a dead letter, or the reason why it cannot be sent again. */
export type RecoveredEvent =
  { readonly ok: true; readonly event: AnalyticsEvent } | { readonly ok: false; readonly reason: string };

const MESSAGE = /^message (.+)$/;
const failed = (reason: string): RecoveredEvent => ({ ok: false, reason });

/** Decodes a message like the pipeline does. */
function decode(data: Buffer, messageId: string, publishTime: number): RecoveredEvent {
  const decoded: DecodedMessage = decodeMessage(data, { messageId, publishTime });
  return decoded.ok ? { ok: true, event: decoded.event } : failed(decoded.message);
}

/** Columns that are no fields of a message: the others are. */
const DERIVED_COLUMNS: ReadonlySet<string> = new Set(["event_date", "received_date"]);

/** The event of a row of the table `events`: the message that the row came from is made again. */
function decodeRow(payload: string, failedAt: number): RecoveredEvent {
  let row: Partial<EventRow>;
  try {
    row = (JSON.parse(payload) ?? {}) as Partial<EventRow>;
  } catch {
    return failed("The payload is not a row as JSON");
  }
  const { event_id, received_at, properties } = row;
  // A new id would make it another event.
  if (typeof event_id !== "string") return failed("The row has no event_id");
  const receivedAt = Date.parse(String(received_at));
  if (Number.isNaN(receivedAt)) return failed(`received_at is not a time: ${JSON.stringify(received_at)}`);
  const { original_event_time, is_bot } = row;
  const fields = Object.entries(row).filter(([name]) => !DERIVED_COLUMNS.has(name));
  const message = {
    ...Object.fromEntries(fields),
    type: "event",
    // Rows of earlier releases lack both.
    original_event_time: original_event_time ? Date.parse(original_event_time) : null,
    is_bot: is_bot ?? false,
    properties: typeof properties === "string" ? properties : undefined,
    received_at: receivedAt,
  };
  return decode(Buffer.from(JSON.stringify(message)), event_id, failedAt);
}

/**
 * The event of a dead letter, with the event_id that it had: of a row of `events` that BigQuery refused, or of a message that
 * was not an event for an earlier release and is one now.
 */
export function eventOfDeadLetter(letter: DeadLetterRow): RecoveredEvent {
  const { source, payload, payload_encoding, error_message } = letter;
  if (isTruncated(error_message)) return failed("Only the first part of the payload was kept");
  const failedAt = Date.parse(letter.failed_at);
  if (source === "table events") return decodeRow(payload, failedAt);
  const messageId = MESSAGE.exec(source)?.[1];
  if (messageId === undefined) return failed(`The source is ${source}, not a message or the table events`);
  // The time at which it was published is unknown, but it was before it failed.
  return decode(Buffer.from(payload, payload_encoding === "base64" ? "base64" : "utf8"), messageId, failedAt);
}
