import { postedEventSchema, strictEventSchema } from "@eventlogger/events/eventSchema";
import { UNKNOWN_FIELDS } from "@eventlogger/events/fields/unknownFields";
import { MAX_WEEK_OFFSET } from "@eventlogger/events/totals/retention";
import { PLACEHOLDER_IDS } from "@eventlogger/events/placeholderIds";
import type { UnknownFields } from "@eventlogger/events/validation";
import { MAX_WARNINGS, type BatchAnswer } from "../routes/postEvents";
import type { DailyStats } from "@eventlogger/gcp/bigquery/statistics/dailyStats";
import type { EventStatistics } from "../routes/getEvent";
import type {
  BreakdownTotals,
  BreakdownValue,
  HourNumbers,
  OtherValues,
} from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import { MAX_VALUES, type BreakdownAnswer } from "../routes/getBreakdowns";
import type { HoursAnswer } from "../routes/getHours";
import type { CohortStats, RetentionStatistics } from "../routes/getRetention";
import { COUNT, object, ref, type JsonSchema } from "./schemaParts";
import { segmentSchemas } from "./segmentSchemas";

const PLACEHOLDERS = `the placeholders ${PLACEHOLDER_IDS.map((id) => JSON.stringify(id)).join(", ")} (in any case)`;

/** What the schemas depend on. */
export interface SchemaSettings {
  readonly maxBatchEvents: number;
  /** YYYY-MM-DD. */
  readonly earliestEvent: string;
  readonly unknownFields: UnknownFields;
}

/** The event schema, with the validation message of each field as its description. */
function eventSchema({ earliestEvent, unknownFields }: SchemaSettings): JsonSchema {
  const { schema, messages } = unknownFields === "keep" ? postedEventSchema : strictEventSchema;
  const fields = Object.entries(schema.properties as Readonly<Record<string, JsonSchema>>);
  const limits = new Map([
    ["event_time", `; not before ${earliestEvent} (UTC), at most 24 hours in the future`],
    ["user_id", `; ${PLACEHOLDERS} are read as null`],
    [
      "anonymous_id",
      `; identifies a device or browser before anyone logs in; the placeholders of user_id are read as null`,
    ],
    ["sent_at", "; when the request was sent, by the clock of the sender: tells whether that clock is wrong"],
    ["app", "; by default the name of the write key"],
    ["platform", "; by default what the user agent tells: web, ios, android, server or another one"],
    ["referrer", "; the host is kept"],
  ]);
  const described = fields.map(
    ([name, field]) =>
      [name, { ...field, description: `${messages.get(name) ?? ""}${limits.get(name) ?? ""}` }] as const,
  );
  const further = `Further fields are kept in properties.${UNKNOWN_FIELDS}`;
  const description = unknownFields === "keep" ? { description: further } : {};
  return { ...schema, ...description, properties: Object.fromEntries(described) };
}

const AS_OF = { type: "string", format: "date-time" };
const GENERATION = {
  type: ["integer", "null"],
  minimum: 1,
  description:
    "The generation of all numbers in the answer; null before the first start of the pipeline, as its definitions",
};
const TIME_ZONE = {
  type: ["string", "null"],
  description: "Time zone of the days, an IANA name such as Europe/Berlin",
};
const counted = (description: string): JsonSchema => ({ ...COUNT, description });

const statistics: Record<keyof EventStatistics, JsonSchema> = {
  total_users: counted("Persons over all accepted events"),
  daily_stats: { type: "array", items: ref("DailyStats") },
  as_of: AS_OF,
  generation: GENERATION,
  time_zone: TIME_ZONE,
  session_gap: { type: ["number", "null"], minimum: 0, description: "Session gap in seconds" },
  watermark: {
    type: ["string", "null"],
    format: "date-time",
    description: "The numbers contain all events that were published until then; null when it is not known",
  },
};
const dailyStats: Record<keyof DailyStats, JsonSchema> = {
  date: {
    type: "string",
    pattern: "^(\\d{2}/\\d{2}/\\d{4}|\\d{4}-\\d{2}-\\d{2})$",
    description: "In time_zone; dd/mm/yyyy, or YYYY-MM-DD with date_format=iso",
  },
  average_session_duration_min: { type: "number", minimum: 0 },
  average_session_duration_sec: COUNT,
  active_user_count: counted("Persons with an event that day"),
  new_user_count: counted("Persons whose first day is that day"),
  session_count: COUNT,
  session_duration_ms: counted("Sum of the durations of these sessions, for averages of several days"),
  weekly_active_user_count: counted("Persons active on at least one of the 7 days that end with that day"),
  monthly_active_user_count: counted("Persons active on at least one of the 30 days that end with that day"),
  anonymous_user_count: counted("Persons of active_user_count without a user id"),
  bot_user_count: counted("Persons whose events of that day are all of bots"),
  bot_session_count: counted("Sessions of bots"),
  updated_at: { ...AS_OF, description: "When the pipeline made the newest version of these numbers" },
};
const retentionStatistics: Record<keyof RetentionStatistics, JsonSchema> = {
  generation: GENERATION,
  time_zone: TIME_ZONE,
  as_of: AS_OF,
  cohorts: { type: "array", items: ref("CohortStats") },
};
const cohortStats: Record<keyof CohortStats, JsonSchema> = {
  week: {
    type: "string",
    pattern: "^\\d{4}-\\d{2}-\\d{2}$",
    description: "Monday of the ISO week that has the first day of these persons, in time_zone",
  },
  size: counted("Number of persons"),
  retained: {
    type: "array",
    minItems: 1,
    maxItems: MAX_WEEK_OFFSET + 1,
    items: COUNT,
    description:
      "How many of them were active in that week, in the week after it, and so on, until the last week with any",
  },
};
const REFRESHED_AT = {
  type: ["string", "null"],
  format: "date-time",
  description: "Start of the last complete refresh, whose numbers these are; null before the first one",
};
const ISO_DATE = { type: "string", pattern: "^\\d{4}-\\d{2}-\\d{2}$", description: "YYYY-MM-DD, in time_zone" };
const orNull = (description: string): JsonSchema => ({ type: ["integer", "null"], minimum: 0, description });
const breakdownTotals: Record<keyof BreakdownTotals, JsonSchema> = {
  events: counted("Distinct events"),
  sessions: counted("Sum of the sessions of each day"),
  person_days: counted("Sum of the persons of each day: a person who was active on two days counts twice"),
  persons: orNull("Distinct persons; null unless the range is one day"),
};
const breakdownValue: Record<keyof BreakdownValue, JsonSchema> = {
  value: { type: "string", maxLength: 256, description: "(none) for events without one" },
  ...breakdownTotals,
};
const otherValues: Record<keyof OtherValues, JsonSchema> = {
  value_count: counted("Number of values that are not listed"),
  events: counted("Distinct events with one of them"),
  sessions: orNull("Sessions with one of them; null unless the range is one day, because they cannot be added up"),
  person_days: orNull("As persons"),
  persons: orNull("Persons with one of them; null unless the range is one day"),
};
const DIMENSIONS = {
  type: "array",
  items: { type: "string" },
  description: "The dimensions that are computed; empty before the first refresh",
};
const breakdownAnswer: Record<keyof BreakdownAnswer, JsonSchema> = {
  generation: GENERATION,
  time_zone: TIME_ZONE,
  as_of: AS_OF,
  refreshed_at: REFRESHED_AT,
  dimension: { type: "string" },
  dimensions: DIMENSIONS,
  from: ISO_DATE,
  to: ISO_DATE,
  totals: object(breakdownTotals),
  values: {
    type: "array",
    maxItems: MAX_VALUES,
    items: object(breakdownValue),
    description: "The values with most events first; with equally many in order of their text",
  },
  other: object(otherValues),
};
const hoursAnswer: Record<keyof HoursAnswer, JsonSchema> = {
  generation: GENERATION,
  time_zone: TIME_ZONE,
  as_of: AS_OF,
  refreshed_at: REFRESHED_AT,
  date: ISO_DATE,
  dimensions: DIMENSIONS,
  hours: { type: "array", items: ref("HourNumbers"), description: "Every hour of the day, also those without events" },
};
const hourNumbers: Record<keyof HourNumbers, JsonSchema> = {
  hour: {
    type: "string",
    pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}[+-]\\d{2}:\\d{2}$",
    description: "Start of the hour, in time_zone",
  },
  events: counted("Distinct events"),
  persons: counted("Persons with an event in the hour"),
  sessions: counted("Sessions of the day with an event in the hour"),
};
const batchAnswer: Record<keyof BatchAnswer, JsonSchema> = {
  accepted: COUNT,
  rejected: {
    type: "array",
    items: object({ index: { ...COUNT, description: "Index in the batch, from 0" }, errors: ref("FieldErrors") }),
  },
  warnings: {
    type: "array",
    minItems: 1,
    maxItems: MAX_WARNINGS,
    description: `About accepted events: the first ${MAX_WARNINGS}; absent when there are none`,
    items: object(
      {
        index: { ...COUNT, description: "Index in the batch, from 0; absent for a warning about the batch itself" },
        field: { type: "string" },
        code: { type: "string", description: "Kind of the warning, such as placeholder" },
        message: { type: "string", minLength: 1 },
      },
      ["index"],
    ),
  },
};

const SENT_AT = {
  type: ["number", "string", "null"],
  description: "sent_at of the events that have none of their own",
};

/** All schemas by their names. */
export function schemas(settings: SchemaSettings): Readonly<Record<string, JsonSchema>> {
  // An invalid event does not make its batch invalid.
  const events = { type: "array", maxItems: settings.maxBatchEvents, items: ref("Event") };
  // Other fields of a batch are ignored, with a warning.
  const more = settings.unknownFields === "keep" ? { additionalProperties: true } : {};
  return {
    Event: eventSchema(settings),
    Batch: { oneOf: [events, { ...object({ events, sent_at: SENT_AT }, ["sent_at"]), ...more }] },
    BatchAnswer: object(batchAnswer, ["warnings"]),
    FieldErrors: {
      type: "array",
      minItems: 1,
      items: object({
        field: { type: "string", description: 'The invalid field; "" for the request or the event as a whole' },
        message: { type: "string", minLength: 1 },
      }),
    },
    Errors: object({ errors: ref("FieldErrors") }),
    ...segmentSchemas(settings.maxBatchEvents),
    EventStatistics: object(statistics),
    DailyStats: object(dailyStats),
    RetentionStatistics: object(retentionStatistics),
    CohortStats: object(cohortStats),
    BreakdownAnswer: object(breakdownAnswer),
    HoursAnswer: object(hoursAnswer),
    HourNumbers: object(hourNumbers),
    Health: object({ status: { const: "ok" } }),
    Ready: object({ status: { const: "ready" } }),
    NotReady: object({ status: { const: "not ready" }, reason: { type: "string" } }),
  };
}
