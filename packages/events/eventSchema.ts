/**
 * The one definition of an event as JSON Schema, and of what to tell a person whose event breaks it. Ingest, pipeline
 * and tests all use it, and the Avro schema of the topic (avroSchema.ts) is derived from it. Rules JSON Schema cannot say
 * are in eventTime.ts and properties.ts.
 */
import type { AvroType } from "./avroSchema";

/** What is said of one field. */
export interface FieldRule {
  readonly schema: Readonly<Record<string, unknown>>;
  /** Completes a sentence that begins with the field's name. */
  readonly message: string;
  readonly required?: boolean;
  /** How the field travels on Pub/Sub, where its JSON Schema does not say it. */
  readonly avro?: { readonly type: AvroType; readonly doc: string };
}

// With the flag u, which ajv sets, a surrogate range matches unpaired surrogates only. They have no UTF-8 form: on the
// way through Pub/Sub attributes, keys and BigQuery they become U+FFFD, which would make one of two different ids.
const WELL_FORMED = "^[^\\uD800-\\uDFFF]*$";

/** What to say when a string does not match the schema's pattern. */
export const NOT_WELL_FORMED = "must be well-formed Unicode (it has half of a surrogate pair)";

/** Ids are keys of state and, the event id, a Pub/Sub attribute, which may have 1,024 bytes. */
const MAX_ID = 128;
/** For strings without a limit of their own: keeps every event far below the limits of Pub/Sub and BigQuery. */
const MAX_TEXT = 8192;

const id = (required: boolean): FieldRule => ({
  schema: { type: "string", minLength: 1, maxLength: MAX_ID, pattern: WELL_FORMED },
  message: `must be a string of 1 to ${MAX_ID} characters`,
  required,
});
const text: FieldRule = {
  schema: { type: ["string", "null"], maxLength: MAX_TEXT, pattern: WELL_FORMED },
  message: `must be null or a string of at most ${MAX_TEXT} characters`,
};

/** The fields an app may send. */
const POSTED = {
  type: { schema: { const: "event" }, message: 'must be "event"', required: true },
  event_id: id(false),
  session_id: id(true),
  event_name: id(true),
  event_time: {
    schema: { type: ["number", "string"] },
    message: "must be a finite number (epoch seconds or milliseconds) or an ISO 8601 string",
    required: true,
    // Seconds, not milliseconds: a number is read by its size, and only as seconds are all moments from 1970 on small.
    avro: { type: "double", doc: "Epoch seconds with milliseconds as the fraction" },
  },
  user_id: text,
  page: text,
  country: text,
  region: text,
  city: text,
  properties: {
    schema: { type: "object" },
    message: "must be a JSON object",
    avro: { type: "string", doc: "JSON text of an object, or the text null" },
  },
} satisfies Record<string, FieldRule>;

/** On Pub/Sub an event also has the time of its receipt. */
export const publishedFields = {
  ...POSTED,
  received_at: {
    schema: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    message: "must be an integer, epoch milliseconds",
    avro: { type: "long", doc: "Epoch milliseconds" },
  },
} satisfies Record<string, FieldRule>;

/** A JSON Schema with the message for each of its fields. */
export interface EventSchema {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly messages: ReadonlyMap<string, string>;
}

function schemaOf(fields: Readonly<Record<string, FieldRule>>): EventSchema {
  const entries = Object.entries(fields);
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(entries.map(([name, field]) => [name, field.schema])),
      required: entries.filter(([, field]) => field.required).map(([name]) => name),
      additionalProperties: false,
    },
    messages: new Map(entries.map(([name, field]) => [name, field.message])),
  };
}

/** An event as apps send it. */
export const postedEventSchema: EventSchema = schemaOf(POSTED);

/** An event as a Pub/Sub message carries it. */
export const publishedEventSchema: EventSchema = schemaOf(publishedFields);
