import { isUtf8 } from "node:buffer";
import type { AnalyticsEvent } from "./event";
import { publishedFields, type FieldRule } from "./eventSchema";
import { validatePublishedEvent } from "./validation";

/** An event as a Pub/Sub message. */
export interface EventMessage {
  /** JSON of the event, in Avro's JSON encoding. */
  readonly data: Buffer;
  readonly attributes: {
    readonly event_id: string;
    /** Epoch milliseconds as decimal text: a format that Beam's Pub/Sub readers accept as a timestamp attribute. */
    readonly event_time: string;
  };
}

/** Why a message is not an event. */
export type DecodeErrorType = "not_utf8" | "not_json" | "invalid_event";

export type DecodedMessage =
  | {
      readonly ok: true;
      readonly event: AnalyticsEvent;
      /** JSON of the event's properties; `null` without properties. */
      readonly propertiesJson: string;
    }
  | { readonly ok: false; readonly errorType: DecodeErrorType; readonly message: string };

/** A nullable string in Avro's JSON encoding of `["null","string"]`. */
function nullable(value: string | null): string {
  return value === null ? "null" : `{"string":${JSON.stringify(value)}}`;
}

/** Epoch seconds with three decimals, always: some Avro readers reject an integer literal for a double. */
function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)}.${String(1000 + (ms % 1000)).slice(1)}`;
}

/**
 * The Pub/Sub message of an event: the JSON encoding of the Avro schema (avroSchema.ts), which the topic may enforce.
 * Concatenates the text itself, which is fast: every POST runs this.
 * @param propertiesJson JSON of the event's properties, when the caller has it
 */
export function encodeMessage(
  event: AnalyticsEvent,
  propertiesJson = event.properties === null ? "null" : JSON.stringify(event.properties),
): EventMessage {
  const json =
    `{"type":"event","event_id":${JSON.stringify(event.event_id)},"session_id":${JSON.stringify(event.session_id)},` +
    `"event_name":${JSON.stringify(event.event_name)},"event_time":${seconds(event.event_time)},` +
    `"user_id":${nullable(event.user_id)},"page":${nullable(event.page)},"country":${nullable(event.country)},` +
    `"region":${nullable(event.region)},"city":${nullable(event.city)},` +
    // JSON within a JSON string, because Avro has no type for arbitrary objects.
    `"properties":${JSON.stringify(propertiesJson)},` +
    `"received_at":${event.received_at}}`;
  return {
    data: Buffer.from(json, "utf8"),
    attributes: { event_id: event.event_id, event_time: String(event.event_time) },
  };
}

const NULLABLE = (Object.entries(publishedFields) as [string, FieldRule][])
  .filter(([, { schema }]) => Array.isArray(schema.type))
  .map(([name]) => name);

/** The text of a union in Avro's JSON encoding: an object whose only field is `string`. */
function textOf(union: object): string | undefined {
  let text: string | undefined;
  for (const name in union) {
    const value: unknown = (union as Record<string, unknown>)[name];
    if (name !== "string" || typeof value !== "string") return undefined;
    text = value;
  }
  return text;
}

/**
 * Removes the wrappers of Avro's JSON encoding. Looks at the shape of each field, so plain JSON messages (from earlier
 * releases, or from other publishers to a topic without the schema) stay unchanged.
 */
function unwrap(value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const fields = value as Record<string, unknown>;
  for (const name of NULLABLE) {
    const union = fields[name];
    if (typeof union !== "object" || union === null) continue;
    const text = textOf(union);
    if (text !== undefined) fields[name] = text;
  }
  if (typeof fields.properties !== "string") return;
  const parsed = parseJson(fields.properties);
  // Text that is not JSON stays a string, which validation rejects.
  if ("value" in parsed) fields.properties = parsed.value ?? undefined;
}

function parseJson(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Reads the event in a Pub/Sub message of this product or of another publisher. A pure function, so a redelivery gives the
 * same event. Never throws.
 * @param meta the message id that Pub/Sub assigned, and the publish time in epoch milliseconds
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
  unwrap(parsed.value);
  const result = validatePublishedEvent(parsed.value, meta);
  if (result.ok) return { ok: true, event: result.event, propertiesJson: result.propertiesJson };
  const message = result.errors.map((e) => `${e.field === "" ? "The message" : e.field} ${e.message}`).join("; ");
  return { ok: false, errorType: "invalid_event", message };
}
