/**
 * The one definition of an event as JSON Schema, with the error message of each field. Ingest, pipeline and tests use it,
 * and the Avro schema of the topic (avroSchema.ts) is derived from it. Rules that JSON Schema cannot express are in
 * eventTime.ts, properties.ts and placeholderIds.ts.
 *
 * There are two sets of limits: what apps may post, and what a Pub/Sub message may hold. The limits of messages are wider
 * and must never become narrower: a message that was acknowledged before must stay an event.
 */
import type { AnalyticsEvent, EventInput, JsonObject } from "./event";
import { FIRST_TIME_MS, LAST_TIME_MS } from "./eventTime";

/** The Avro types that events use. */
export type AvroType =
  | "string"
  | "long"
  | "double"
  | "boolean"
  | readonly ["null", "string"]
  | readonly ["null", "long"]
  | { readonly type: "enum"; readonly name: string; readonly symbols: readonly string[] };

/** The definition of one field. */
export interface FieldRule {
  readonly schema: Readonly<Record<string, unknown>>;
  /** The error message: completes a sentence that begins with the field's name. */
  readonly message: string;
  readonly required?: boolean;
  /** The field's Avro type, where its JSON Schema does not imply it. */
  readonly avro?: { readonly type: AvroType; readonly doc: string };
}

// With the flag u, which ajv sets, a surrogate range matches unpaired surrogates only. They have no UTF-8 form: Pub/Sub
// attributes, keys and BigQuery turn them into U+FFFD, so two different ids would become one.
const WELL_FORMED = "^[^\\uD800-\\uDFFF]*$";

/** The error message for an id that does not match the schema's pattern, and for such a text in a message. */
export const NOT_WELL_FORMED = "must be well-formed Unicode (it has half of a surrogate pair)";

// The Unicode category Cc. Such characters come from broken encodings and memory, and two ids that differ only by them
// look the same everywhere.
const CONTROL = "[\\u0000-\\u001F\\u007F-\\u009F]";
const HAS_CONTROL = { type: "string", pattern: CONTROL } as const;

/** The error message for an id with a control character. */
export const HAS_CONTROL_CHARACTER = "must not have control characters such as NUL, tab or line break";

/** Characters. Ids are keys of state, and the event id is a Pub/Sub attribute, which is limited to 1,024 bytes. */
const MAX_ID = 128;
/** Characters of a posted user id, which is a key of state that lives as long as the state. */
const MAX_USER_ID = 256;
/** Characters of other posted strings. */
const MAX_TEXT = 1024;
/** Characters of a posted referrer. */
const MAX_REFERRER = 8192;
/** Characters of other strings in messages: what earlier releases accepted. */
const MAX_PUBLISHED_TEXT = 8192;

const idMessage = `must be a string of 1 to ${MAX_ID} characters`;
const postedId = {
  schema: {
    type: ["string", "number"],
    minLength: 1,
    maxLength: MAX_ID,
    pattern: WELL_FORMED,
    not: HAS_CONTROL,
  },
  message: `${idMessage} or a number`,
} as const satisfies FieldRule;
/** Half of a surrogate pair is replaced (validation.ts): only ids that differ by one must not become one. */
const postedText = {
  schema: { type: ["string", "null"], maxLength: MAX_TEXT },
  message: `must be null or a string of at most ${MAX_TEXT} characters`,
} as const satisfies FieldRule;
const postedPersonId = {
  // An empty one is a placeholder (placeholderIds.ts), and so are true and false.
  schema: {
    type: ["string", "number", "boolean", "null"],
    maxLength: MAX_USER_ID,
    pattern: WELL_FORMED,
    not: HAS_CONTROL,
  },
  message: `must be null, a string of 1 to ${MAX_USER_ID} characters or a number`,
} as const satisfies FieldRule;
const publishedId = {
  schema: { type: "string", minLength: 1, maxLength: MAX_ID, pattern: WELL_FORMED },
  message: idMessage,
} as const satisfies FieldRule;
const publishedText = {
  schema: { type: ["string", "null"], maxLength: MAX_PUBLISHED_TEXT, pattern: WELL_FORMED },
  message: `must be null or a string of at most ${MAX_PUBLISHED_TEXT} characters`,
} as const satisfies FieldRule;

/** Fields with the same rule in posted events and in messages. */
const commonFields = {
  type: { schema: { const: "event" }, message: 'must be "event"', required: true },
  event_time: {
    schema: { type: ["number", "string"] },
    message: "must be a finite number (epoch seconds or milliseconds) or an ISO 8601 string",
    required: true,
    // Seconds, not milliseconds: the unit of a number is decided by its size, and milliseconds before March 1973 are as
    // small as seconds.
    avro: { type: "double", doc: "Epoch seconds with milliseconds as the fraction" },
  },
} as const satisfies Record<string, FieldRule>;

/** The fields an app may send. Optional fields may be null, which is the same as absent. */
const postedFields = {
  type: commonFields.type,
  event_id: {
    ...postedId,
    schema: { ...postedId.schema, type: ["string", "number", "null"] },
    message: `must be null, a string of 1 to ${MAX_ID} characters or a number`,
  },
  session_id: { ...postedId, required: true },
  event_name: {
    // As in texts, half of a surrogate pair is replaced.
    schema: { type: "string", minLength: 1, maxLength: MAX_ID, not: HAS_CONTROL },
    message: idMessage,
    required: true,
  },
  event_time: commonFields.event_time,
  user_id: postedPersonId,
  anonymous_id: postedPersonId,
  sent_at: {
    schema: { type: ["number", "string", "null"] },
    message: "must be null, a finite number (epoch seconds or milliseconds) or an ISO 8601 string",
  },
  page: postedText,
  country: postedText,
  region: postedText,
  city: postedText,
  app: postedText,
  platform: postedText,
  // Browsers send long ones, of which the host is kept.
  referrer: {
    schema: { type: ["string", "null"], maxLength: MAX_REFERRER },
    message: `must be null or a string of at most ${MAX_REFERRER} characters: a URL or a host`,
  },
  properties: { schema: { type: ["object", "null"] }, message: "must be a JSON object" },
} as const satisfies Record<string, FieldRule>;

/** The fields of an event on Pub/Sub: also the time of receipt. */
export const publishedFields = {
  type: commonFields.type,
  event_id: publishedId,
  session_id: { ...publishedId, required: true },
  event_name: { ...publishedId, required: true },
  event_time: commonFields.event_time,
  original_event_time: {
    // The years 1 to 9999, which BigQuery can store.
    schema: { type: ["integer", "null"], minimum: FIRST_TIME_MS, maximum: LAST_TIME_MS },
    message: "must be null or an integer, epoch milliseconds",
    avro: { type: ["null", "long"], doc: "Epoch milliseconds; set when event_time was corrected" },
  },
  user_id: publishedText,
  anonymous_id: publishedText,
  page: publishedText,
  country: publishedText,
  region: publishedText,
  city: publishedText,
  app: publishedText,
  platform: publishedText,
  referrer: publishedText,
  browser: publishedText,
  os: publishedText,
  is_bot: {
    schema: { type: "boolean" },
    message: "must be true or false",
    avro: { type: "boolean", doc: "Whether the user agent is that of a bot" },
  },
  properties: {
    schema: { type: "object" },
    message: "must be a JSON object",
    avro: { type: "string", doc: "JSON text of an object, or the text null" },
  },
  received_at: {
    schema: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    message: "must be an integer, epoch milliseconds",
    avro: { type: "long", doc: "Epoch milliseconds" },
  },
} as const satisfies Record<string, FieldRule>;

/** An event as ingest accepts it: {@link EventInput}, and the values that apps send instead of text or of nothing. */
export interface PostedEventInput extends Omit<
  EventInput,
  "event_id" | "session_id" | "user_id" | "anonymous_id" | "properties"
> {
  /** A number is read as its text. */
  event_id?: string | number | null;
  session_id: string | number;
  user_id?: string | number | boolean | null;
  anonymous_id?: string | number | boolean | null;
  properties?: JsonObject | null;
}

/** An event as a Pub/Sub message carries it, once Avro's wrappers are removed. */
export interface PublishedEventInput extends Omit<EventInput, "sent_at"> {
  /** Epoch milliseconds; absent in messages of other publishers. */
  received_at?: number;
  /** Epoch milliseconds. Absent, as the fields below, in messages of earlier releases. */
  original_event_time?: number | null;
  browser?: string | null;
  os?: string | null;
  is_bot?: boolean;
}

/** The TypeScript types of JSON Schema's types. */
interface TypeNames {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  null: null;
  object: JsonObject;
}
type ValueOf<Schema> = Schema extends { readonly const: infer Value }
  ? Value
  : Schema extends { readonly type: infer Name extends keyof TypeNames }
    ? TypeNames[Name]
    : Schema extends { readonly type: readonly (infer Name extends keyof TypeNames)[] }
      ? TypeNames[Name]
      : never;
type RequiredName<Fields> = {
  [Name in keyof Fields]: Fields[Name] extends { readonly required: true } ? Name : never;
}[keyof Fields];
/** The type of the objects that the schema of the fields accepts. */
type InputOf<Fields extends Readonly<Record<string, FieldRule>>> = {
  [Name in RequiredName<Fields>]: ValueOf<Fields[Name]["schema"]>;
} & { [Name in Exclude<keyof Fields, RequiredName<Fields>>]?: ValueOf<Fields[Name]["schema"]> };
type Flat<T> = { [Name in keyof T]: T[Name] };
type IsSame<A, B> = (<T>() => T extends Flat<A> ? 1 : 2) extends <T>() => T extends Flat<B> ? 1 : 2 ? true : false;

// These do not compile when a type in event.ts and its schema differ.
true satisfies IsSame<PostedEventInput, InputOf<typeof postedFields>>;
true satisfies IsSame<PublishedEventInput, InputOf<typeof publishedFields>>;
true satisfies IsSame<keyof AnalyticsEvent, keyof typeof publishedFields>;

/** A JSON Schema with the error message of each of its fields. */
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
    },
    messages: new Map(entries.map(([name, field]) => [name, field.message])),
  };
}

/** An event as apps send it. It may have further fields, which are kept in its properties. */
export const postedEventSchema: EventSchema = schemaOf(postedFields);

/** An event as apps send it, without any other field. */
export const strictEventSchema: EventSchema = {
  ...postedEventSchema,
  schema: { ...postedEventSchema.schema, additionalProperties: false },
};

/** An event as a Pub/Sub message carries it. It may have further fields, of later releases and other publishers. */
export const publishedEventSchema: EventSchema = schemaOf(publishedFields);
