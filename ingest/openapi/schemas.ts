import { postedEventSchema } from "@eventlogger/events/eventSchema";
import { PLACEHOLDER_IDS } from "@eventlogger/events/placeholderIds";
import { MAX_WARNINGS, type BatchAnswer } from "../routes/postEvents";
import type { DailyStats, EventStatistics } from "../routes/getEvent";
import { COUNT, object, ref, type JsonSchema } from "./schemaParts";
import { segmentSchemas } from "./segmentSchemas";

const PLACEHOLDERS = `the placeholders ${PLACEHOLDER_IDS.map((id) => JSON.stringify(id)).join(", ")} (in any case)`;

/** The event schema, with the validation message of each field as its description. @param earliestEvent YYYY-MM-DD */
function eventSchema(earliestEvent: string): JsonSchema {
  const { schema, messages } = postedEventSchema;
  const fields = Object.entries(schema.properties as Readonly<Record<string, JsonSchema>>);
  const limits = new Map([
    ["event_time", `; not before ${earliestEvent} (UTC), at most 24 hours in the future`],
    ["user_id", `; ${PLACEHOLDERS} are read as null`],
  ]);
  const described = fields.map(
    ([name, field]) =>
      [name, { ...field, description: `${messages.get(name) ?? ""}${limits.get(name) ?? ""}` }] as const,
  );
  return { ...schema, properties: Object.fromEntries(described) };
}

const statistics: Record<keyof EventStatistics, JsonSchema> = {
  total_users: { ...COUNT, description: "Distinct users over all accepted events" },
  daily_stats: { type: "array", items: ref("DailyStats") },
  as_of: { type: "string", format: "date-time" },
  generation: {
    type: ["integer", "null"],
    minimum: 1,
    description:
      "The generation of all numbers in the answer; null before the first start of the pipeline, as its definitions",
  },
  time_zone: { type: ["string", "null"], description: "Time zone of the days, an IANA name such as Europe/Berlin" },
  session_gap: { type: ["number", "null"], minimum: 0, description: "Session gap in seconds" },
};
const dailyStats: Record<keyof DailyStats, JsonSchema> = {
  date: { type: "string", pattern: "^\\d{2}/\\d{2}/\\d{4}$", description: "dd/mm/yyyy, in time_zone" },
  average_session_duration_min: { type: "number", minimum: 0 },
  average_session_duration_sec: COUNT,
  active_user_count: COUNT,
  new_user_count: COUNT,
  session_count: COUNT,
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
    items: object({
      index: { ...COUNT, description: "Index in the batch, from 0" },
      field: { type: "string" },
      code: { type: "string", description: "Kind of the warning, such as placeholder" },
      message: { type: "string", minLength: 1 },
    }),
  },
};

/** All schemas by their names. @param limits earliestEvent: YYYY-MM-DD */
export function schemas(limits: {
  readonly maxBatchEvents: number;
  readonly earliestEvent: string;
}): Readonly<Record<string, JsonSchema>> {
  // An invalid event does not make its batch invalid.
  const events = { type: "array", maxItems: limits.maxBatchEvents, items: ref("Event") };
  return {
    Event: eventSchema(limits.earliestEvent),
    Batch: { oneOf: [events, object({ events })] },
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
    ...segmentSchemas(limits.maxBatchEvents),
    EventStatistics: object(statistics),
    DailyStats: object(dailyStats),
    Health: object({ status: { const: "ok" } }),
    Ready: object({ status: { const: "ready" } }),
    NotReady: object({ status: { const: "not ready" }, reason: { type: "string" } }),
  };
}
