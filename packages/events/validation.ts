import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { AnalyticsEvent, JsonObject } from "./event";
import { NOT_WELL_FORMED, postedEventSchema, publishedEventSchema, type EventSchema } from "./eventSchema";
import { MAX_FUTURE_MS, parseEventTime } from "./eventTime";
import { propertiesProblem } from "./properties";
import { uuidv7 } from "./uuidv7";

/** What is wrong with one field; a problem of the body as a whole has the field "". */
export interface FieldError {
  field: string;
  /** The end of a sentence that begins with the field's name: `must be a string of 1 to 128 characters`. */
  message: string;
}

export type ValidationResult = { ok: true; event: AnalyticsEvent } | { ok: false; errors: FieldError[] };

/** A body full of unknown fields gets a short answer. */
const MAX_ERRORS = 20;

interface CompiledSchema {
  readonly matches: ValidateFunction;
  readonly messages: EventSchema["messages"];
}

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
const compile = ({ schema, messages }: EventSchema): CompiledSchema => ({ matches: ajv.compile(schema), messages });
const posted = compile(postedEventSchema);
const published = compile(publishedEventSchema);

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
  if (error.keyword === "pattern") return { field, message: NOT_WELL_FORMED };
  return { field, message: messages.get(field) ?? "must be a JSON object" };
}

/** Every problem of the input, at most one a field. */
function problemsOf(schema: CompiledSchema, input: unknown, receivedAt: number): FieldError[] {
  const errors: FieldError[] = [];
  if (!schema.matches(input)) {
    for (const error of schema.matches.errors ?? []) {
      const next = fieldError(schema.messages, error);
      if (!errors.some((known) => known.field === next.field)) errors.push(next);
      if (errors.length === MAX_ERRORS) return errors;
    }
  }
  if (!isObject(input)) return errors;
  const known = new Set(errors.map((error) => error.field));
  const { event_time: time, properties } = input;
  if (!known.has("event_time") && (typeof time === "number" || typeof time === "string")) {
    const parsed = parseEventTime(time, receivedAt);
    if ("problem" in parsed) errors.push({ field: "event_time", message: parsed.problem });
  }
  if (!known.has("properties") && isObject(properties)) {
    const problem = propertiesProblem(properties);
    if (problem) errors.push({ field: "properties", message: problem });
  }
  return errors;
}

function validate(schema: CompiledSchema, input: unknown, receivedAt: number, makeId: () => string): ValidationResult {
  try {
    if (schema.matches(input)) {
      const fields = input as Partial<AnalyticsEvent> & Pick<AnalyticsEvent, "session_id" | "event_name">;
      const time = parseEventTime(fields.event_time as unknown as number | string, receivedAt);
      const properties: JsonObject | null = fields.properties ?? null;
      if ("ms" in time && (properties === null || propertiesProblem(properties) === undefined)) {
        const event: AnalyticsEvent = {
          type: "event",
          event_id: fields.event_id ?? makeId(),
          session_id: fields.session_id,
          event_name: fields.event_name,
          event_time: time.ms,
          user_id: fields.user_id ?? null,
          page: fields.page ?? null,
          country: fields.country ?? null,
          region: fields.region ?? null,
          city: fields.city ?? null,
          properties,
          received_at: receivedAt,
        };
        return { ok: true, event };
      }
    }
    return { ok: false, errors: problemsOf(schema, input, receivedAt) };
  } catch {
    // No JSON value leads here; a getter that throws does.
    return { ok: false, errors: [{ field: "", message: "must be a JSON object, and reading it failed" }] };
  }
}

/**
 * Makes an event of what an app sent (a value out of JSON.parse), or says everything that is wrong with it. Does not
 * change the input; `properties` is passed on, not copied. Never throws.
 * @param receivedAt epoch milliseconds; event times more than 24 hours after it are refused
 * @param makeId makes the id of an event that has none
 */
export function validateEvent(input: unknown, receivedAt: number, makeId: () => string = uuidv7): ValidationResult {
  return validate(posted, input, receivedAt, makeId);
}

/**
 * The same for the value in a Pub/Sub message, which may have `received_at` in epoch milliseconds. Messages of other
 * publishers need not: without `received_at` they get the publish time, without `event_id` the message id, so that a
 * redelivery is read as the same event. Never throws.
 * @param meta publishTime in epoch milliseconds
 */
export function validatePublishedEvent(
  input: unknown,
  meta: { readonly messageId: string; readonly publishTime: number },
): ValidationResult {
  const stated = isObject(input) && Number.isSafeInteger(input.received_at) ? (input.received_at as number) : undefined;
  // Otherwise a time of receipt in the far future would let in any event time.
  if (stated !== undefined && stated > meta.publishTime + MAX_FUTURE_MS) {
    const message = "must not be more than 24 hours after the message was published";
    return { ok: false, errors: [{ field: "received_at", message }] };
  }
  return validate(published, input, stated ?? meta.publishTime, () => meta.messageId);
}
