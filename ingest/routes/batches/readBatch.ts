import { SimilarFields } from "@eventlogger/events/fields/similarFields";
import type { FieldWarning, PostingRules, UnknownFields } from "@eventlogger/events/validation";
import { parseExactJson } from "@eventlogger/events/exactJson";
import { readTime } from "@eventlogger/events/eventTime";
import { BatchEvents } from "./batchEvents";
import { batchIds } from "./batchIds";
import { parseJson } from "../../http/body/readBody";
import type { BodyFormat } from "../../http/body/contentHeaders";
import { RequestError } from "../../http/errors";
import { isNestedDeeper } from "../../http/body/jsonDepth";

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
const FIELDS = ["events", "sent_at"];
const similarFields = new SimilarFields(FIELDS);
/** Unknown fields of a batch that an answer names, at most. */
const MAX_NAMED = 20;

/** The events of a JSON body, and when it was sent if the body tells that. */
interface ParsedBatch {
  readonly inputs: readonly unknown[];
  readonly sentAt: number | string | undefined;
  /** Names of fields of the body that are not those of a batch. */
  readonly unknown: readonly string[];
}

/** When a batch was sent. @throws RequestError INVALID_BATCH */
function parseSentAt(sentAt: unknown): number | string | undefined {
  if (sentAt === undefined || sentAt === null) return undefined;
  const isTime = typeof sentAt === "number" || typeof sentAt === "string";
  const parsed = isTime ? readTime(sentAt) : { problem: "must be a number or a string" };
  if (isTime && !("problem" in parsed)) return sentAt;
  throw new RequestError("INVALID_BATCH", { field: "sent_at", detail: "problem" in parsed ? parsed.problem : "" });
}

/** The warning about a field that is not one of a batch. It belongs to no event, so that it is not kept. */
function unknownFieldWarning(name: string): FieldWarning {
  const similar = similarFields.of(name);
  const message = "is not a field of a batch, and was ignored";
  return similar === undefined
    ? { field: name, code: "unknown", message }
    : { field: name, code: "misspelled", message: `${message}; did you mean ${similar}?` };
}

/** @throws RequestError INVALID_JSON, INVALID_BATCH */
function parseArray(body: Buffer, unknownFields: UnknownFields): ParsedBatch {
  if (isNestedDeeper(body, MAX_DEPTH)) throw new RequestError("INVALID_JSON", { detail: `it ${TOO_DEEP}` });
  const value = parseJson(body);
  if (Array.isArray(value)) return { inputs: value, sentAt: undefined, unknown: [] };
  if (typeof value !== "object" || value === null) throw new RequestError("INVALID_BATCH", { detail: NOT_A_BATCH });
  const unknown = Object.keys(value).filter((key) => !FIELDS.includes(key));
  if (unknown.length > 0 && unknownFields === "refuse") {
    const errors = unknown
      .slice(0, MAX_NAMED)
      .map((key) => ({ field: key || '""', message: "is not a field of a batch" }));
    throw new RequestError("INVALID_BATCH", { errors });
  }
  const { events, sent_at } = value as { events?: unknown; sent_at?: unknown };
  if (!Array.isArray(events)) throw new RequestError("INVALID_BATCH", { field: "events", detail: "must be an array" });
  return { inputs: events, sentAt: parseSentAt(sent_at), unknown };
}

/** How to read a batch. */
export interface BatchOptions {
  readonly format: BodyFormat;
  readonly maxEvents: number;
  readonly idempotencyKey: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly rules: PostingRules;
}

/**
 * Reads and validates the events of a body. An invalid event is rejected without affecting the others.
 * @param body UTF-8
 * @throws RequestError INVALID_JSON, INVALID_BATCH or TOO_MANY_EVENTS when the body as a whole is invalid.
 */
export function readBatch(body: Buffer, options: BatchOptions): BatchEvents {
  const { format, maxEvents, idempotencyKey, receivedAt, rules } = options;
  const { inputs, sentAt, unknown } =
    format === "ndjson"
      ? { inputs: parseLines(body, maxEvents), sentAt: undefined, unknown: [] }
      : parseArray(body, rules.unknownFields ?? "keep");
  if (inputs.length > maxEvents) throw new RequestError("TOO_MANY_EVENTS", { detail: String(maxEvents) });
  const idOf = batchIds(body, idempotencyKey);
  const events = new BatchEvents(receivedAt);
  for (const name of unknown.slice(0, MAX_NAMED)) events.warn(unknownFieldWarning(name));
  let index = 0;
  // One object for all events, not one for each.
  const batchRules: PostingRules = { ...rules, sentAt, createId: () => idOf(index) };
  for (; index < inputs.length; index++) {
    const input = inputs[index];
    if (input instanceof BadLine) events.reject(index, [{ field: "", message: input.message }]);
    else events.add(index, input, batchRules);
  }
  return events;
}
