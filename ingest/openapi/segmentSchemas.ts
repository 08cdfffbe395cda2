import { SEGMENT_CALLS, type SegmentEndpoint } from "@eventlogger/options/segmentPath";
import type { SegmentAnswer } from "../segment/postSegment";
import { array, COUNT, object, ref, type JsonSchema } from "./schemaParts";

const OBJECT = { type: ["object", "null"] };
const ID = { type: ["string", "number", "null"] };
const TIME = { type: ["string", "number", "null"], description: "ISO 8601, or epoch seconds or milliseconds" };

const call: Readonly<Record<string, JsonSchema>> = {
  type: { enum: SEGMENT_CALLS, description: "Only in a batch; elsewhere the path decides" },
  messageId: { ...ID, description: "Becomes the event_id" },
  userId: ID,
  anonymousId: ID,
  previousId: { ...ID, description: "Of alias: the anonymous id that the user had" },
  groupId: ID,
  timestamp: { ...TIME, description: `${TIME.description}. By default the time of receipt` },
  sentAt: { ...TIME, description: `${TIME.description}. When the request was sent, by the clock of the sender` },
  event: { type: ["string", "null"], description: "Of track: the name of the event" },
  properties: OBJECT,
  traits: OBJECT,
  context: OBJECT,
};

const answer: Record<keyof SegmentAnswer, JsonSchema> = {
  success: { const: true },
  rejected: array(object({ index: COUNT, errors: ref("FieldErrors") }), "Calls that were not valid"),
  warnings: array(
    object({ index: COUNT, field: { type: "string" }, code: { type: "string" }, message: { type: "string" } }),
    "About accepted calls",
  ),
};

/** The schemas of the endpoints for Segment's libraries. Fields that are not listed are ignored. */
export function segmentSchemas(maxBatchEvents: number): Readonly<Record<string, JsonSchema>> {
  return {
    SegmentCall: { type: "object", properties: call },
    SegmentBatch: {
      type: "object",
      properties: {
        batch: { type: "array", maxItems: maxBatchEvents, items: ref("SegmentCall") },
        sentAt: TIME,
        context: { ...OBJECT, description: "Of all calls that have no context of their own" },
        writeKey: { type: "string", description: "For requests that have no key in their headers" },
      },
      required: ["batch"],
    },
    SegmentAnswer: object(answer, ["rejected", "warnings"]),
  };
}

/** A body that is accepted. @param timestamp ISO 8601 */
export function segmentExample(endpoint: SegmentEndpoint, timestamp: string): object {
  const common = { messageId: "m-1", userId: "u-1001", anonymousId: "a-7f3a", timestamp };
  const fields: Readonly<Record<SegmentEndpoint, object>> = {
    track: { ...common, event: "order", properties: { plan: "pro" } },
    page: { ...common, name: "pricing", context: { page: { path: "/pricing" } } },
    screen: { ...common, name: "pricing" },
    identify: { ...common, traits: { plan: "pro" } },
    alias: { messageId: "m-1", userId: "u-1001", previousId: "a-7f3a", timestamp },
    group: { ...common, groupId: "g-1", traits: { plan: "pro" } },
    batch: { batch: [{ type: "track", ...common, event: "order" }], sentAt: timestamp },
  };
  return fields[endpoint];
}
