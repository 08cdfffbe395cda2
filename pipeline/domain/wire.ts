import { isUtf8 } from "node:buffer";
import type { AnalyticsEvent } from "./event";
import { EPOCH_MS_FROM } from "./eventTime";
import { validatePublishedEvent } from "./validation";

/** An event as a Pub/Sub message. */
export interface EventMessage {
  /** JSON of the event, absent optional fields left out. */
  readonly data: Buffer;
  readonly attributes: {
    readonly event_id: string;
    /** Epoch milliseconds as decimal text, the form Beam's Pub/Sub readers take as a timestamp attribute. */
    readonly event_time: string;
  };
}

/** Why a message holds no event. */
export type DecodeErrorType = "not_utf8" | "not_json" | "invalid_event";

export type DecodedMessage =
  | { readonly ok: true; readonly event: AnalyticsEvent }
  | { readonly ok: false; readonly errorType: DecodeErrorType; readonly message: string };

/** The Pub/Sub message of an event. */
export function encodeMessage(event: AnalyticsEvent): EventMessage {
  const json = JSON.stringify({
    type: event.type,
    event_id: event.event_id,
    session_id: event.session_id,
    event_name: event.event_name,
    // Small numbers would be read as epoch seconds: moments before March 1973 travel as ISO 8601.
    event_time: event.event_time >= EPOCH_MS_FROM ? event.event_time : new Date(event.event_time).toISOString(),
    user_id: event.user_id ?? undefined,
    page: event.page ?? undefined,
    country: event.country ?? undefined,
    region: event.region ?? undefined,
    city: event.city ?? undefined,
    properties: event.properties ?? undefined,
    received_at: event.received_at,
  });
  return {
    data: Buffer.from(json, "utf8"),
    attributes: { event_id: event.event_id, event_time: String(event.event_time) },
  };
}

function parseJson(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Reads the event in a Pub/Sub message, ours or another publisher's. Depends on its arguments alone, so a redelivery
 * gives the same event. Never throws.
 * @param meta the id Pub/Sub gave the message, and its publish time in epoch milliseconds
 */
export function decodeMessage(
  data: Uint8Array,
  meta: { readonly messageId: string; readonly publishTime: number },
): DecodedMessage {
  if (!isUtf8(data)) return { ok: false, errorType: "not_utf8", message: "The message is not UTF-8 text" };
  const parsed = parseJson(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf8"));
  if ("problem" in parsed) {
    return { ok: false, errorType: "not_json", message: `The message is not JSON: ${parsed.problem}` };
  }
  const result = validatePublishedEvent(parsed.value, meta);
  if (result.ok) return result;
  const message = result.errors.map((e) => `${e.field === "" ? "The message" : e.field} ${e.message}`).join("; ");
  return { ok: false, errorType: "invalid_event", message };
}
