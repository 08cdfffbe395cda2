import { Ajv, type ValidateFunction } from "ajv";
import type { AnalyticsEvent } from "./event";
import {
  postedEventSchema,
  publishedEventSchema,
  strictEventSchema,
  type EventSchema,
  type PostedEventInput,
  type PublishedEventInput,
} from "./eventSchema";
import { MAX_FUTURE_MS } from "./eventTime";
import { readEventClock, type EventClock, type StatedTimes } from "./fields/eventClock";
import type { FieldError, FieldWarning } from "./fields/fieldProblems";
import { readMarks } from "./fields/numberMarks";
import { postedOrigin, publishedOrigin, UNKNOWN_SENDER, type Origin, type Sender } from "./fields/origin";
import { postedPersonId, type PersonField, type PersonId } from "./fields/personIds";
import { MAX_ERRORS, schemaErrors, unknownFieldError } from "./fields/schemaErrors";
import { SimilarFields } from "./fields/similarFields";
import { hasSurrogateHalf, replaceHalves } from "./fields/surrogateHalves";
import { keepUnknownFields, UNKNOWN_FIELDS, unknownNames } from "./fields/unknownFields";
import { checkProperties, MAX_PROPERTIES_BYTES, MAX_PUBLISHED_PROPERTIES_BYTES } from "./properties";
import { uuidv7 } from "./uuidv7";

export type { FieldError, FieldWarning, WarningCode } from "./fields/fieldProblems";

/** A valid event. */
export interface ValidEvent {
  ok: true;
  event: AnalyticsEvent;
  /** JSON of the event's properties; `null` without properties. */
  propertiesJson: string;
  warnings: readonly FieldWarning[];
  /** Set when the event had fields that this release does not know. They are in its properties, unless a warning tells otherwise. */
  hasUnknownFields?: true;
}

/** What is wrong with an event. */
export interface InvalidEvent {
  ok: false;
  errors: FieldError[];
  /** Set when the event time is too early or too late, after any correction. */
  isTimeOutOfRange?: true;
}

export type ValidationResult = ValidEvent | InvalidEvent;

/** What becomes of fields that are not those of an event: they are kept in its properties, or they are errors. */
export type UnknownFields = "keep" | "refuse";

/** The rules for posted events that the caller decides. */
export interface PostingRules {
  /** Creates the id of an event that has none. @default a UUIDv7 */
  readonly createId?: () => string;
  /** Event times before this are rejected; epoch milliseconds. @default 0 */
  readonly earliest?: number;
  /** When the client sent the request, for events without `sent_at`; as `event_time`. */
  readonly sentAt?: number | string | undefined;
  /** @default "keep" */
  readonly unknownFields?: UnknownFields;
  /** Who sent the event. @default a sender that is not known */
  readonly sender?: Sender;
}

/** The fields that posted events and messages have in common. */
type CommonInput = Omit<PostedEventInput, "sent_at">;

/** What differs between posted events and messages. */
interface Reading<Input extends CommonInput> {
  readonly matches: ValidateFunction<Input>;
  readonly messages: EventSchema["messages"];
  readonly personId: (field: PersonField, given: PostedEventInput[PersonField]) => PersonId;
  readonly origin: (input: Input, sender: Sender, warnings: FieldWarning[]) => Origin;
  /** Whether `sent_at` is a field, which tells about wrong clocks. */
  readonly hasSentAt: boolean;
  /** The time before its correction, when ingest has corrected it. */
  readonly originalTime: (input: Input) => number | null;
  /** Half of a surrogate pair in `properties` is replaced; in messages it is an error, as it always was. */
  readonly replacesHalves: boolean;
  /** Maximum size of `properties` as JSON; bytes. */
  readonly maxPropertiesBytes: number;
}

/** An id in a message. A placeholder counts: ingest replaces placeholders before it publishes. */
function publishedPersonId(_: PersonField, given: PostedEventInput[PersonField]): PersonId {
  return { id: typeof given === "string" ? given : null };
}

// eventSchema.ts checks at compile time that the types of input are those of the schemas.
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
function postedReading({ schema, messages }: EventSchema): Reading<PostedEventInput> {
  return {
    matches: ajv.compile<PostedEventInput>(schema),
    messages,
    personId: postedPersonId,
    origin: postedOrigin,
    hasSentAt: true,
    originalTime: () => null,
    replacesHalves: true,
    maxPropertiesBytes: MAX_PROPERTIES_BYTES,
  };
}
const posted: Readonly<Record<UnknownFields, Reading<PostedEventInput>>> = {
  keep: postedReading(postedEventSchema),
  refuse: postedReading(strictEventSchema),
};
const published: Reading<PublishedEventInput> = {
  matches: ajv.compile<PublishedEventInput>(publishedEventSchema.schema),
  messages: publishedEventSchema.messages,
  personId: publishedPersonId,
  origin: publishedOrigin,
  hasSentAt: false,
  originalTime: ({ original_event_time = null }) => original_event_time,
  replacesHalves: false,
  maxPropertiesBytes: MAX_PUBLISHED_PROPERTIES_BYTES,
};

const NO_PROPERTIES = { json: "null" } as const;
const similarFields = new SimilarFields([...postedEventSchema.messages.keys()]);
/** Keeps the warnings about an event full of unknown fields few. */
const MAX_MISSPELLED = 5;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

type Limits = Pick<Reading<never>, "hasSentAt" | "replacesHalves" | "maxPropertiesBytes">;

function propertiesProblem(properties: object, { replacesHalves, maxPropertiesBytes }: Limits): string | undefined {
  const checked = checkProperties(properties, maxPropertiesBytes);
  if ("problem" in checked) return checked.problem;
  const has = !replacesHalves && hasSurrogateHalf(properties, checked.json);
  return has ? "must hold well-formed Unicode (it has half of a surrogate pair)" : undefined;
}

/** The time of an event (see {@link readEventClock}). */
function clockOf(
  { event_time, sent_at }: StatedTimes,
  receivedAt: number,
  { earliest = 0, sentAt }: PostingRules,
  { hasSentAt }: Limits,
): EventClock {
  return readEventClock(hasSentAt ? { event_time, sent_at: sent_at ?? sentAt } : { event_time }, receivedAt, earliest);
}

/** Violations of the rules that JSON Schema cannot express. Skips values of a wrong type: the schema reports those. */
function ruleErrors(
  input: StatedTimes & { readonly properties?: unknown },
  receivedAt: number,
  rules: PostingRules,
  limits: Limits,
): InvalidEvent {
  const clock = clockOf(input, receivedAt, rules, limits);
  const errors = "errors" in clock ? [...clock.errors] : [];
  const problem = isObject(input.properties) ? propertiesProblem(input.properties, limits) : undefined;
  if (problem !== undefined) errors.push({ field: "properties", message: problem });
  return { ok: false, errors, ...("errors" in clock && clock.isOutOfRange && { isTimeOutOfRange: true }) };
}

/** Names of unknown fields that resemble a known one, with that one. */
function misspelled(unknown: readonly string[]): [name: string, similar: string][] {
  const found: [string, string][] = [];
  for (const name of unknown) {
    const similar = similarFields.of(name);
    if (similar !== undefined) found.push([name, similar]);
    if (found.length === MAX_MISSPELLED) break;
  }
  return found;
}

/** Adds the unknown fields to the properties of an event. @returns JSON of the properties */
function keepUnknown(
  event: AnalyticsEvent,
  input: object,
  unknown: readonly string[],
  json: string,
  warnings: FieldWarning[],
): string {
  for (const [name, similar] of misspelled(unknown)) {
    warnings.push({ code: "misspelled", ...unknownFieldError(name, similar) });
  }
  const kept = keepUnknownFields(input, unknown, event.properties, json);
  if ("problem" in kept) {
    const message = `${kept.problem}; the unknown fields were dropped`;
    warnings.push({ field: UNKNOWN_FIELDS, code: "dropped", message });
    return json;
  }
  event.properties = kept.properties;
  return kept.json;
}

function invalid<Input extends CommonInput>(
  reading: Reading<Input>,
  input: unknown,
  receivedAt: number,
  rules: PostingRules,
): InvalidEvent {
  const { matches, messages } = reading;
  const errors = schemaErrors(messages, matches.errors ?? []);
  if (!isObject(input) || errors.length === MAX_ERRORS) return { ok: false, errors };
  const reported = new Set(errors.map((error) => error.field));
  const others = ruleErrors(input, receivedAt, rules, reading);
  // A field that is missing may be there under another name.
  const unknown = unknownNames(input, (name) => messages.has(name) || reported.has(name)) ?? [];
  const hints = misspelled(unknown).map(([name, similar]) => unknownFieldError(name, similar));
  errors.push(...others.errors.filter((error) => !reported.has(error.field)), ...hints);
  return { ...others, errors: errors.slice(0, MAX_ERRORS) };
}

function validate<Input extends CommonInput>(
  reading: Reading<Input>,
  input: unknown,
  receivedAt: number,
  rules: PostingRules,
): ValidationResult {
  const { matches, messages } = reading;
  const { createId = uuidv7, sender = UNKNOWN_SENDER } = rules;
  try {
    if (!matches(input)) return invalid(reading, input, receivedAt, rules);
    const clock = clockOf(input, receivedAt, rules, reading);
    const properties = input.properties ?? null;
    const checked = properties ? checkProperties(properties, reading.maxPropertiesBytes) : NO_PROPERTIES;
    if (
      "errors" in clock ||
      "problem" in checked ||
      (properties && !reading.replacesHalves && hasSurrogateHalf(properties, checked.json))
    ) {
      return ruleErrors(input, receivedAt, rules, reading);
    }
    const warnings: FieldWarning[] = [];
    if (clock.warning) warnings.push(clock.warning);
    const user = reading.personId("user_id", input.user_id);
    if (user.warning) warnings.push(user.warning);
    const anonymous = reading.personId("anonymous_id", input.anonymous_id);
    if (anonymous.warning) warnings.push(anonymous.warning);
    const origin = reading.origin(input, sender, warnings);
    const event: AnalyticsEvent = {
      type: "event",
      event_id: String(input.event_id ?? createId()),
      session_id: String(input.session_id),
      event_name: input.event_name,
      event_time: clock.ms,
      original_event_time: clock.original ?? reading.originalTime(input),
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
    const unknown = unknownNames(input, (name) => messages.has(name));
    const json = unknown ? keepUnknown(event, input, unknown, checked.json, warnings) : checked.json;
    const propertiesJson = replaceHalves(event, json, warnings);
    return unknown
      ? { ok: true, event, propertiesJson, warnings, hasUnknownFields: true }
      : { ok: true, event, propertiesJson, warnings };
  } catch {
    // JSON values never throw here; objects with throwing getters do.
    return { ok: false, errors: [{ field: "", message: "must be a JSON object, and reading it failed" }] };
  }
}

/**
 * Validates what an app sent (a value from JSON.parse or parseExactJson) and returns the event, or every problem. Does not change the input;
 * `properties` is passed on, not copied. Never throws.
 * @param receivedAt epoch milliseconds; event times more than 24 hours later are rejected
 */
export function validateEvent(input: unknown, receivedAt: number, rules: PostingRules = {}): ValidationResult {
  let read = input;
  try {
    if (isObject(input)) read = readMarks(input);
  } catch {
    // The schema's check fails in the same way.
  }
  return validate(posted[rules.unknownFields ?? "keep"], read, receivedAt, rules);
}

/**
 * Validates the value in a Pub/Sub message, which may have `received_at` in epoch milliseconds. Messages of other
 * publishers may lack fields: `received_at` then defaults to the publish time and `event_id` to the message id, so that a
 * redelivery gives the same event. Fields that this release does not know, such as those of a later release of ingest, are kept in
 * the properties. Event times from 1970 on are accepted: only posted events have a later limit. Never
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
