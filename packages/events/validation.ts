import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { AnalyticsEvent } from "./event";
import { inexactNumber, mayHaveMarks } from "./exactJson";
import {
  HAS_CONTROL_CHARACTER,
  NOT_WELL_FORMED,
  postedEventSchema,
  publishedEventSchema,
  type EventSchema,
  type PostedEventInput,
  type PublishedEventInput,
} from "./eventSchema";
import { MAX_FUTURE_MS, parseEventTime } from "./eventTime";
import { isPlaceholderId } from "./placeholderIds";
import { checkProperties, mayHaveSurrogateHalf } from "./properties";
import { uuidv7 } from "./uuidv7";
import { isWellFormed, toWellFormed, toWellFormedJson } from "./wellFormed";

/** What is wrong with one field. A problem of the body as a whole has the field "". */
export interface FieldError {
  field: string;
  /** The end of a sentence that begins with the field's name: `must be a string of 1 to 128 characters`. */
  message: string;
}

/** The kind of a warning. Stable, for machines. */
export type WarningCode = "placeholder" | "conflict" | "replaced";

/** Something about a field of an accepted event that its sender should know. */
export interface FieldWarning {
  readonly field: string;
  readonly code: WarningCode;
  /** The end of a sentence that begins with the field's name. */
  readonly message: string;
}

export type ValidationResult =
  | {
      ok: true;
      event: AnalyticsEvent;
      /** JSON of the event's properties; `null` without properties. */
      propertiesJson: string;
      warnings: readonly FieldWarning[];
    }
  | { ok: false; errors: FieldError[] };

/** Keeps the answer to a body full of unknown fields short. */
const MAX_ERRORS = 20;

/** The fields that identify a person. */
type PersonField = "user_id" | "anonymous_id";
type PersonId = PostedEventInput[PersonField];

/** What identifies the person of an event, and the warning when there is something wrong with it. */
interface CheckedId {
  readonly id: string | null;
  readonly warning?: FieldWarning;
}

const ABSENT_ID: CheckedId = { id: null };
const NO_WARNINGS: readonly FieldWarning[] = [];
const NO_PROPERTIES = { json: "null" } as const;
const IDENTIFIED = { user_id: "a user", anonymous_id: "a device or browser" } as const;

/** An id of a posted event: a placeholder becomes null. */
function postedPersonId(field: PersonField, given: PersonId): CheckedId {
  if (given === undefined || given === null) return ABSENT_ID;
  const id = String(given);
  if (!isPlaceholderId(id)) return { id };
  const message = `must identify ${IDENTIFIED[field]}; the placeholder ${JSON.stringify(given)} was read as null`;
  return { id: null, warning: { field, code: "placeholder", message } };
}

/** An id in a message. A placeholder counts: ingest replaces placeholders before it publishes. */
function publishedPersonId(_: PersonField, given: PersonId): CheckedId {
  return typeof given === "string" ? { id: given } : ABSENT_ID;
}

/** What becomes of half of a surrogate pair in `properties`: in messages it is an error, as it always was. */
type SurrogateHalves = "replaced" | "refused";

/** Where an event comes from. */
type Origin = Pick<AnalyticsEvent, "app" | "platform" | "referrer" | "browser" | "os" | "is_bot">;

/** The fields that posted events and messages have in common. */
type CommonInput = Omit<PostedEventInput, "sent_at">;

/** What differs between posted events and messages. */
interface Reading<Input extends CommonInput> {
  readonly personId: (field: PersonField, given: PersonId) => CheckedId;
  readonly origin: (input: Input) => Origin;
  readonly originalTime: (input: Input) => number | null;
  readonly halves: SurrogateHalves;
}

interface CompiledSchema<Input extends CommonInput> {
  readonly matches: ValidateFunction<Input>;
  readonly messages: EventSchema["messages"];
  readonly reading: Reading<Input>;
}

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
function compile<Input extends CommonInput>(
  { schema, messages }: EventSchema,
  reading: Reading<Input>,
): CompiledSchema<Input> {
  return { matches: ajv.compile<Input>(schema), messages, reading };
}

function postedOrigin({ app = null, platform = null, referrer = null }: PostedEventInput): Origin {
  return { app, platform, referrer, browser: null, os: null, is_bot: false };
}

function publishedOrigin(input: PublishedEventInput): Origin {
  const { app = null, platform = null, referrer = null, browser = null, os = null, is_bot = false } = input;
  return { app, platform, referrer, browser, os, is_bot };
}

// eventSchema.ts checks at compile time that these types are those of the schemas.
const posted = compile<PostedEventInput>(postedEventSchema, {
  personId: postedPersonId,
  origin: postedOrigin,
  originalTime: () => null,
  halves: "replaced",
});
const published = compile<PublishedEventInput>(publishedEventSchema, {
  personId: publishedPersonId,
  origin: publishedOrigin,
  originalTime: ({ original_event_time = null }) => original_event_time,
  halves: "refused",
});

/** The rules for posted events that the caller decides. */
export interface PostingRules {
  /** Creates the id of an event that has none. @default a UUIDv7 */
  readonly createId?: () => string;
  /** Event times before this are rejected; epoch milliseconds. @default 0 */
  readonly earliest?: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fieldError(messages: EventSchema["messages"], error: ErrorObject): FieldError {
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  if (params.missingProperty !== undefined) return { field: params.missingProperty, message: "is required" };
  if (params.additionalProperty !== undefined) {
    // The field "" means the body as a whole.
    return { field: params.additionalProperty || '""', message: "is not a field of an event" };
  }
  const field = error.instancePath.slice(1);
  if (error.keyword === "not") return { field, message: HAS_CONTROL_CHARACTER };
  if (error.keyword === "pattern") return { field, message: NOT_WELL_FORMED };
  return { field, message: messages.get(field) ?? "must be a JSON object" };
}

/** The schema's errors, at most one per field. */
function schemaErrors(messages: EventSchema["messages"], found: readonly ErrorObject[]): FieldError[] {
  const errors = new Map<string, FieldError>();
  for (const error of found) {
    const next = fieldError(messages, error);
    if (!errors.has(next.field)) errors.set(next.field, next);
    if (errors.size === MAX_ERRORS) break;
  }
  return [...errors.values()];
}

/** Violations of the rules that JSON Schema cannot express. Skips values of a wrong type: the schema reports those. */
function ruleErrors(
  input: { event_time?: unknown; properties?: unknown },
  receivedAt: number,
  earliest: number,
  halves: SurrogateHalves,
): FieldError[] {
  const errors: FieldError[] = [];
  const { event_time: time, properties } = input;
  if (typeof time === "number" || typeof time === "string") {
    const parsed = parseEventTime(time, receivedAt, earliest);
    if ("problem" in parsed) errors.push({ field: "event_time", message: parsed.problem });
  }
  if (isObject(properties)) {
    const checked = checkProperties(properties);
    const problem = "problem" in checked ? checked.problem : halvesProblem(properties, checked.json, halves);
    if (problem) errors.push({ field: "properties", message: problem });
  }
  return errors;
}

function halvesProblem(properties: object, json: string, halves: SurrogateHalves): string | undefined {
  const has = halves === "refused" && hasSurrogateHalf(properties, json);
  return has ? "must hold well-formed Unicode (it has half of a surrogate pair)" : undefined;
}

function hasSurrogateHalf(properties: object, json: string): boolean {
  return mayHaveSurrogateHalf(json) && JSON.stringify(toWellFormedJson(properties)) !== json;
}

/** The texts of an event in which half of a surrogate pair is replaced. Ids with one are refused. */
const REPLACED_TEXTS = ["event_name", "page", "country", "region", "city", "app", "platform", "referrer"] as const;

function replacedWarning(field: string): FieldWarning {
  const message = "must be well-formed Unicode; half of a surrogate pair in it was replaced by U+FFFD";
  return { field, code: "replaced", message };
}

/** Replaces each half of a surrogate pair in the texts of an event. @param json of the properties */
function replaceHalves(event: AnalyticsEvent, json: string): readonly FieldWarning[] {
  let warnings: FieldWarning[] | undefined;
  for (const name of REPLACED_TEXTS) {
    const text = event[name];
    if (text === null || isWellFormed(text)) continue;
    event[name] = toWellFormed(text);
    (warnings ??= []).push(replacedWarning(name));
  }
  if (event.properties && hasSurrogateHalf(event.properties, json)) {
    event.properties = toWellFormedJson(event.properties);
    (warnings ??= []).push(replacedWarning("properties"));
  }
  return warnings ?? NO_WARNINGS;
}

function validate<Input extends CommonInput>(
  { matches, messages, reading }: CompiledSchema<Input>,
  input: unknown,
  receivedAt: number,
  { createId = uuidv7, earliest = 0 }: PostingRules,
): ValidationResult {
  const { halves } = reading;
  try {
    if (!matches(input)) {
      const errors = schemaErrors(messages, matches.errors ?? []);
      if (!isObject(input) || errors.length === MAX_ERRORS) return { ok: false, errors };
      const reported = new Set(errors.map((error) => error.field));
      const others = ruleErrors(input, receivedAt, earliest, halves).filter((error) => !reported.has(error.field));
      return { ok: false, errors: [...errors, ...others] };
    }
    const time = parseEventTime(input.event_time, receivedAt, earliest);
    const properties = input.properties ?? null;
    const checked = properties ? checkProperties(properties) : NO_PROPERTIES;
    if ("problem" in time || "problem" in checked || (properties && halvesProblem(properties, checked.json, halves))) {
      return { ok: false, errors: ruleErrors(input, receivedAt, earliest, halves) };
    }
    const user = reading.personId("user_id", input.user_id);
    const anonymous = reading.personId("anonymous_id", input.anonymous_id);
    const origin = reading.origin(input);
    const event: AnalyticsEvent = {
      type: "event",
      event_id: String(input.event_id ?? createId()),
      session_id: String(input.session_id),
      event_name: input.event_name,
      event_time: time.ms,
      original_event_time: reading.originalTime(input),
      user_id: user.id,
      anonymous_id: anonymous.id,
      page: input.page ?? null,
      country: input.country ?? null,
      region: input.region ?? null,
      city: input.city ?? null,
      app: origin.app,
      platform: origin.platform,
      referrer: origin.referrer,
      browser: origin.browser,
      os: origin.os,
      is_bot: origin.is_bot,
      properties,
      received_at: receivedAt,
    };
    const replaced = replaceHalves(event, checked.json);
    const warnings =
      user.warning || anonymous.warning || replaced.length > 0
        ? [user.warning, anonymous.warning, ...replaced].filter((warning) => warning !== undefined)
        : NO_WARNINGS;
    const propertiesJson = replaced.length === 0 ? checked.json : JSON.stringify(event.properties);
    return { ok: true, event, propertiesJson, warnings };
  } catch {
    // JSON values never throw here; objects with throwing getters do.
    return { ok: false, errors: [{ field: "", message: "must be a JSON object, and reading it failed" }] };
  }
}

/** Fields whose numbers are read as text, with every digit. */
const ID_FIELDS = ["event_id", "session_id", "user_id", "anonymous_id"] as const;
/** Fields whose numbers are read, or refused, as doubles. */
const OTHER_FIELDS = [...REPLACED_TEXTS, "type", "event_time", "sent_at", "properties"] as const;

/** The input with numbers in place of their marks (exactJson.ts). Does not look into `properties`. */
function readMarks(input: unknown): unknown {
  if (!mayHaveMarks() || !isObject(input)) return input;
  let read: Record<string, unknown> | undefined;
  for (const name of ID_FIELDS) {
    const number = inexactNumber(input[name]);
    if (number !== undefined) (read ??= { ...input })[name] = number;
  }
  for (const name of OTHER_FIELDS) {
    const number = inexactNumber(input[name]);
    if (number !== undefined) (read ??= { ...input })[name] = Number(number);
  }
  return read ?? input;
}

/**
 * Validates what an app sent (a value from JSON.parse or parseExactJson) and returns the event, or every problem. Does not change the input;
 * `properties` is passed on, not copied. Never throws.
 * @param receivedAt epoch milliseconds; event times more than 24 hours later are rejected
 */
export function validateEvent(input: unknown, receivedAt: number, rules: PostingRules = {}): ValidationResult {
  let read = input;
  try {
    read = readMarks(input);
  } catch {
    // The schema's check fails in the same way.
  }
  return validate(posted, read, receivedAt, rules);
}

/**
 * Validates the value in a Pub/Sub message, which may have `received_at` in epoch milliseconds. Messages of other
 * publishers may lack fields: `received_at` then defaults to the publish time and `event_id` to the message id, so that a
 * redelivery gives the same event. Event times from 1970 on are accepted: only posted events have a later limit. Never
 * throws.
 * @param meta publishTime in epoch milliseconds
 */
export function validatePublishedEvent(
  input: unknown,
  meta: { readonly messageId: string; readonly publishTime: number },
): ValidationResult {
  const stated = isObject(input) ? input.received_at : undefined;
  const receivedAt = typeof stated === "number" && Number.isSafeInteger(stated) ? stated : meta.publishTime;
  // A time of receipt in the far future would allow any event time.
  if (receivedAt > meta.publishTime + MAX_FUTURE_MS) {
    const message = "must not be more than 24 hours after the message was published";
    return { ok: false, errors: [{ field: "received_at", message }] };
  }
  return validate(published, input, receivedAt, { createId: () => meta.messageId });
}
