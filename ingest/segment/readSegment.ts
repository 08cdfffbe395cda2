import type { FieldError } from "@eventlogger/events/validation";
import { SEGMENT_CALLS, type SegmentCall, type SegmentEndpoint } from "@eventlogger/options/segmentPath";
import { parseJson } from "../http/body/readBody";
import { isNestedDeeper } from "../http/body/jsonDepth";
import { RequestError } from "../http/errors";
import { isObject, type SegmentMessage } from "./segmentEvent";

/** A call in a body, or what is wrong with an entry that is not one. */
export type ReadCall =
  { readonly call: SegmentCall; readonly message: SegmentMessage } | { readonly problem: FieldError };

/** The calls of a request. */
export interface SegmentRequest {
  /** The body, whose `sentAt` and `context` apply to all calls. */
  readonly body: SegmentMessage;
  /** In the order of the body. */
  readonly calls: readonly ReadCall[];
  /** The write key in the body; undefined without one. */
  readonly writeKey: string | undefined;
}

/** As for batches of events. */
const MAX_DEPTH = 200;

const NOT_A_CALL = { field: "", message: "must be a JSON object" };
const NO_TYPE = { field: "type", message: `must be one of ${SEGMENT_CALLS.join(", ")}` };

const isCall = (type: unknown): type is SegmentCall => SEGMENT_CALLS.some((call) => call === type);

function readEntry(entry: unknown): ReadCall {
  if (!isObject(entry)) return { problem: NOT_A_CALL };
  // Libraries of earlier years call it `action`.
  const call = entry.type ?? entry.action;
  return isCall(call) ? { call, message: entry } : { problem: NO_TYPE };
}

/** The entries of a batch. @throws RequestError INVALID_BATCH, TOO_MANY_EVENTS */
function readEntries(body: SegmentMessage, maxEvents: number): readonly ReadCall[] {
  const { batch } = body;
  if (!Array.isArray(batch)) throw new RequestError("INVALID_BATCH", { field: "batch", detail: "must be an array" });
  if (batch.length > maxEvents) throw new RequestError("TOO_MANY_EVENTS", { detail: String(maxEvents) });
  return (batch as readonly unknown[]).map(readEntry);
}

/**
 * Reads the body of a request to one of Segment's endpoints. The path decides the type of a single call.
 * @param body UTF-8
 * @throws RequestError INVALID_JSON, INVALID_EVENT, INVALID_BATCH, TOO_MANY_EVENTS when the body as a whole is not valid
 */
export function readSegment(body: Buffer, endpoint: SegmentEndpoint, maxEvents: number): SegmentRequest {
  if (isNestedDeeper(body, MAX_DEPTH)) {
    throw new RequestError("INVALID_JSON", { detail: `it is nested deeper than ${MAX_DEPTH} levels` });
  }
  const value = parseJson(body);
  if (!isObject(value)) throw new RequestError("INVALID_EVENT", { errors: [NOT_A_CALL] });
  const calls =
    endpoint === "batch" ? readEntries(value, maxEvents) : [{ call: endpoint, message: value } satisfies ReadCall];
  const { writeKey } = value;
  return { body: value, calls, writeKey: typeof writeKey === "string" && writeKey !== "" ? writeKey : undefined };
}
