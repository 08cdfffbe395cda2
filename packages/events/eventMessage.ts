import { isUtf8 } from "node:buffer";
import type { AnalyticsEvent } from "./event";
import { eventAvroSchema, isUnion } from "./avroSchema";
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
      /** Set when the message had fields that this release does not know, which are in the properties now. */
      readonly hasUnknownFields?: true;
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
    `"original_event_time":${event.original_event_time === null ? "null" : `{"long":${event.original_event_time}}`},` +
    `"user_id":${nullable(event.user_id)},"anonymous_id":${nullable(event.anonymous_id)},"page":${nullable(event.page)},"country":${nullable(event.country)},` +
    `"region":${nullable(event.region)},"city":${nullable(event.city)},` +
    `"app":${nullable(event.app)},"platform":${nullable(event.platform)},"referrer":${nullable(event.referrer)},` +
    `"browser":${nullable(event.browser)},"os":${nullable(event.os)},"is_bot":${event.is_bot},` +
    // JSON within a JSON string, because Avro has no type for arbitrary objects.
    `"properties":${JSON.stringify(propertiesJson)},` +
    `"received_at":${event.received_at}}`;
  return {
    data: Buffer.from(json, "utf8"),
    attributes: { event_id: event.event_id, event_time: String(event.event_time) },
  };
}

/** The fields with an Avro union, with the name of its branch that is not null. */
const UNIONS: readonly (readonly [name: string, branch: "string" | "long"])[] = eventAvroSchema.fields.flatMap(
  ({ name, type }) => (isUnion(type) ? [[name, type[1]] as const] : []),
);

/** The value of a union in Avro's JSON encoding: an object whose only field is the name of its branch. */
function valueOf(union: object, branch: "string" | "long"): string | number | undefined {
  let found: string | number | undefined;
  for (const name in union) {
    const value: unknown = (union as Record<string, unknown>)[name];
    if (name !== branch || (typeof value !== "string" && typeof value !== "number")) return undefined;
    found = value;
  }
  return found;
}

/**
 * Removes the wrappers of Avro's JSON encoding. Looks at the shape of each field, so plain JSON messages (from earlier
 * releases, or from other publishers to a topic without the schema) stay unchanged.
 */
function unwrap(value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const fields = value as Record<string, unknown>;
  for (const [name, branch] of UNIONS) {
    const union = fields[name];
    if (typeof union !== "object" || union === null) continue;
    const value = valueOf(union, branch);
    if (value !== undefined) fields[name] = value;
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
  if (result.ok) {
    const { event, propertiesJson, hasUnknownFields } = result;
    return hasUnknownFields
      ? { ok: true, event, propertiesJson, hasUnknownFields }
      : { ok: true, event, propertiesJson };
  }
  const message = result.errors.map((e) => `${e.field === "" ? "The message" : e.field} ${e.message}`).join("; ");
  return { ok: false, errorType: "invalid_event", message };
}
