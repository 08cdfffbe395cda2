import type { FieldError, PostingRules } from "@eventlogger/events/validation";
import type { SegmentCall } from "@eventlogger/options/segmentPath";
import { batchIds } from "../routes/batches/batchIds";
import { BatchEvents } from "../routes/batches/batchEvents";
import type { SegmentRequest } from "./readSegment";
import { segmentEvent } from "./segmentEvent";

/** What has become of the calls of a request. */
export interface AcceptedCalls {
  /** With the names of the events' fields, for metrics. */
  readonly events: BatchEvents;
  /** The call of each accepted event. */
  readonly calls: readonly SegmentCall[];
}

/** The fields of a call by those of the event that is made from them. */
const FIELDS_OF_CALLS: Readonly<Record<string, string>> = {
  event_id: "messageId",
  event_name: "event",
  event_time: "timestamp",
  sent_at: "sentAt",
  user_id: "userId",
  anonymous_id: "anonymousId",
};

/** The field of a call that a field of its event was made from. */
export const fieldOfCall = (field: string): string => FIELDS_OF_CALLS[field] ?? field;

/** A call without any id has no session: its sender must know what to send. */
function errorOfCall({ field, message }: FieldError): FieldError {
  if (field === "session_id" && message === "is required")
    return { field: "userId", message: "or anonymousId is required" };
  return { field: fieldOfCall(field), message };
}

/** Errors with the names of the fields of a call. */
export const errorsOfCall = (errors: readonly FieldError[]): readonly FieldError[] => errors.map(errorOfCall);

/**
 * Makes events of the calls of a request, with the same rules as posted events. An invalid call is rejected without
 * affecting the others.
 * @param body UTF-8; calls without a messageId get ids that depend only on it
 * @param receivedAt epoch milliseconds
 * @param rulesOf the rules for a call, by the user agent in its context if it has one
 */
export function acceptCalls(
  { body: batch, calls }: SegmentRequest,
  body: Uint8Array,
  receivedAt: number,
  rulesOf: (userAgent: string | undefined) => PostingRules,
): AcceptedCalls {
  const idOf = batchIds(body, "");
  const accepted: SegmentCall[] = [];
  const events = new BatchEvents(receivedAt);
  for (const [index, read] of calls.entries()) {
    if ("problem" in read) {
      events.reject(index, [read.problem]);
      continue;
    }
    const { input, userAgent } = segmentEvent(read.call, read.message, batch, receivedAt);
    const rules = { ...rulesOf(userAgent), createId: () => idOf(index) };
    if (events.add(index, input, rules)) accepted.push(read.call);
  }
  return { events, calls: accepted };
}
