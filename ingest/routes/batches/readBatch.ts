import { validateEvent, type FieldError, type FieldWarning } from "@eventlogger/events/validation";
import { parseExactJson } from "@eventlogger/events/exactJson";
import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { batchIds } from "./batchIds";
import { parseJson } from "../../http/body/readBody";
import type { BodyFormat } from "../../http/body/contentHeaders";
import { RequestError } from "../../http/errors";
import { isNestedDeeper } from "../../http/body/jsonDepth";

/** An event that was not accepted. */
export interface RejectedEvent {
  /** Index in the batch, from 0. */
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** A warning about an event that was accepted. */
export interface EventWarning extends FieldWarning {
  /** Index in the batch, from 0. */
  readonly index: number;
}

/** The valid and the rejected events of a batch. */
export interface Batch {
  readonly messages: readonly EventMessage[];
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
}

/** A line of NDJSON that is not valid JSON. */
class BadLine {
  constructor(readonly message: string) {}
}

const NEWLINE = 0x0a;

/** Twice the limit for an event, so that an event just over its limit is rejected alone. */
const MAX_DEPTH = 200;
const TOO_DEEP = `is nested deeper than ${MAX_DEPTH} levels`;

/** Parses each line, ignoring empty lines. Stops after more than `max` values. */
function parseLines(body: Buffer, max: number): unknown[] {
  const values: unknown[] = [];
  for (let start = 0; start < body.length && values.length <= max;) {
    const newline = body.indexOf(NEWLINE, start);
    const end = newline < 0 ? body.length : newline;
    const line = body.toString("utf8", start, end);
    const tooDeep = isNestedDeeper(body, MAX_DEPTH, start, end);
    start = end + 1;
    if (line.trim() === "") continue;
    if (tooDeep) {
      values.push(new BadLine(TOO_DEEP));
      continue;
    }
    try {
      values.push(parseExactJson(line));
    } catch (error) {
      values.push(new BadLine(`must be JSON: ${(error as Error).message.slice(0, 200)}`));
    }
  }
  return values;
}

const NOT_A_BATCH = 'must be an array of events, or {"events": [...]}';

/** The events in a JSON body. @throws RequestError INVALID_JSON, INVALID_BATCH */
function parseArray(body: Buffer): readonly unknown[] {
  if (isNestedDeeper(body, MAX_DEPTH)) throw new RequestError("INVALID_JSON", { detail: `it ${TOO_DEEP}` });
  const value = parseJson(body);
  if (Array.isArray(value)) return value;
  if (typeof value !== "object" || value === null) throw new RequestError("INVALID_BATCH", { detail: NOT_A_BATCH });
  const unknown = Object.keys(value).filter((key) => key !== "events");
  if (unknown.length > 0) {
    const errors = unknown.slice(0, 20).map((key) => ({ field: key || '""', message: "is not a field of a batch" }));
    throw new RequestError("INVALID_BATCH", { errors });
  }
  const { events } = value as { events?: unknown };
  if (!Array.isArray(events)) throw new RequestError("INVALID_BATCH", { field: "events", detail: "must be an array" });
  return events;
}

/** Finds events of a batch that have the id of an earlier one and other content. Equal events are repeats, and allowed. */
export class IdConflicts {
  private readonly first = new Map<string, { readonly index: number; readonly data: Buffer }>();

  conflictOf({ data, attributes: { event_id } }: EventMessage, index: number): EventWarning | undefined {
    const first = this.first.get(event_id);
    if (first === undefined) this.first.set(event_id, { index, data });
    // All events of a batch are received at the same time, so equal events are equal messages.
    if (first === undefined || first.data.equals(data)) return undefined;
    const message = `must name one event, but event ${first.index} of this batch has it too, with other content; one of them counts`;
    return { index, field: "event_id", code: "conflict", message };
  }
}

/**
 * Reads and validates the events of a body. An invalid event is rejected without affecting the others.
 * @param body UTF-8
 * @throws RequestError INVALID_JSON, INVALID_BATCH or TOO_MANY_EVENTS when the body as a whole is invalid.
 */
export function readBatch(
  body: Buffer,
  options: {
    readonly format: BodyFormat;
    readonly maxEvents: number;
    readonly idempotencyKey: string;
    /** Epoch milliseconds. */
    readonly receivedAt: number;
    /** Event times before this are rejected; epoch milliseconds. */
    readonly earliest: number;
  },
): Batch {
  const { format, maxEvents, idempotencyKey, receivedAt, earliest } = options;
  const inputs = format === "ndjson" ? parseLines(body, maxEvents) : parseArray(body);
  if (inputs.length > maxEvents) throw new RequestError("TOO_MANY_EVENTS", { detail: String(maxEvents) });

  const idOf = batchIds(body, idempotencyKey);
  const messages: EventMessage[] = [];
  const rejected: RejectedEvent[] = [];
  const warnings: EventWarning[] = [];
  const conflicts = new IdConflicts();
  let index = 0;
  // One object for all events, not one for each.
  const rules = { createId: (): string => idOf(index), earliest };
  for (; index < inputs.length; index++) {
    const input = inputs[index];
    if (input instanceof BadLine) {
      rejected.push({ index, errors: [{ field: "", message: input.message }] });
      continue;
    }
    const result = validateEvent(input, receivedAt, rules);
    if (result.ok) {
      const message = encodeMessage(result.event, result.propertiesJson);
      messages.push(message);
      const conflict = conflicts.conflictOf(message, index);
      if (conflict) warnings.push(conflict);
      for (const warning of result.warnings) warnings.push({ index, ...warning });
    } else rejected.push({ index, errors: result.errors });
  }
  return { messages, rejected, warnings };
}
