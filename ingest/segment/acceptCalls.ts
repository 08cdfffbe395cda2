import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { validateEvent, type FieldError } from "@eventlogger/events/validation";
import type { SegmentCall } from "@eventlogger/options/segmentPath";
import { batchIds } from "../routes/batches/batchIds";
import { IdConflicts, type EventWarning, type RejectedEvent } from "../routes/batches/readBatch";
import type { SegmentRequest } from "./readSegment";
import { segmentEvent } from "./segmentEvent";

/** What has become of the calls of a request. */
export interface AcceptedCalls {
  readonly messages: readonly EventMessage[];
  /** The call of each message. */
  readonly calls: readonly SegmentCall[];
  /** With the names of the event's fields, for metrics. */
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
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
 * @param rules receivedAt: epoch milliseconds; earliest: event times before this are rejected, epoch milliseconds
 */
export function acceptCalls(
  { body: batch, calls }: SegmentRequest,
  body: Uint8Array,
  rules: { readonly receivedAt: number; readonly earliest: number },
): AcceptedCalls {
  const { receivedAt, earliest } = rules;
  const idOf = batchIds(body, "");
  const messages: EventMessage[] = [];
  const accepted: SegmentCall[] = [];
  const rejected: RejectedEvent[] = [];
  const warnings: EventWarning[] = [];
  const conflicts = new IdConflicts();
  for (const [index, read] of calls.entries()) {
    if ("problem" in read) {
      rejected.push({ index, errors: [read.problem] });
      continue;
    }
    const { input } = segmentEvent(read.call, read.message, batch, receivedAt);
    const result = validateEvent(input, receivedAt, { createId: () => idOf(index), earliest });
    if (!result.ok) {
      rejected.push({ index, errors: result.errors });
      continue;
    }
    const message = encodeMessage(result.event, result.propertiesJson);
    messages.push(message);
    accepted.push(read.call);
    const conflict = conflicts.conflictOf(message, index);
    if (conflict) warnings.push(conflict);
    for (const warning of result.warnings) warnings.push({ index, ...warning });
  }
  return { messages, calls: accepted, rejected, warnings };
}
