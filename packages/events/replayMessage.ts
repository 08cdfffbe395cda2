import { isUtf8 } from "node:buffer";

/**
 * A stored event on its way back into the ledgers of a generation. It has only the fields that the ledgers need, and those by
 * which a person finds its row.
 */
export interface ReplayEvent {
  readonly event_id: string;
  readonly session_id: string;
  readonly event_name: string;
  /** Epoch milliseconds, an integer. */
  readonly event_time: number;
  /** null for an anonymous event. */
  readonly user_id: string | null;
  readonly anonymous_id: string | null;
  readonly is_bot: boolean;
  /** Epoch milliseconds, an integer. */
  readonly received_at: number;
}

/** A message of the replay topic: many events, one a line, as JSON. */
export interface ReplayMessage {
  readonly data: Buffer;
  readonly attributes: { readonly replay: string; readonly dataset: string };
  readonly events: number;
}

/** The attribute of replay messages. Its value is the generation that they are meant for. */
export const REPLAY_ATTRIBUTE = "replay";

/**
 * The attribute with the dataset that the rows of a message come from. Datasets whose pipelines read the same topic also share their
 * replay topics, and a pipeline must not count rows that its dataset lacks.
 */
export const DATASET_ATTRIBUTE = "dataset";

/** What a replay is for. */
export interface ReplayPurpose {
  readonly generation: number;
  /** The dataset that has the rows, and whose numbers count them. */
  readonly dataset: string;
}

/** Whether a replay message with these attributes is for a pipeline of a dataset. One without the attribute is for all. */
export function isForDataset(attributes: Readonly<Record<string, string>>, dataset: string): boolean {
  return (attributes[DATASET_ATTRIBUTE] ?? dataset) === dataset;
}

/** Maximum number of events in a message. A message is the smallest unit of the pipeline's flow control. */
export const MAX_REPLAY_EVENTS = 500;
/** Maximum size of a message's data, unless one event is larger; bytes. */
export const MAX_REPLAY_BYTES = 65_536;

const textOrNull = (text: string | null): string => (text === null ? "null" : JSON.stringify(text));

/** The line of an event in a replay message, without the line break. */
export function replayLine(event: ReplayEvent): string {
  return (
    `{"event_id":${JSON.stringify(event.event_id)},"session_id":${JSON.stringify(event.session_id)},` +
    `"event_name":${JSON.stringify(event.event_name)},"event_time":${event.event_time},` +
    `"user_id":${textOrNull(event.user_id)},"anonymous_id":${textOrNull(event.anonymous_id)},` +
    `"is_bot":${event.is_bot},"received_at":${event.received_at}}`
  );
}

/** Collects events into replay messages. */
export class ReplayEncoder {
  private readonly attributes: ReplayMessage["attributes"];
  private lines: string[] = [];
  private bytes = 0;

  /** @param maxEvents maximum number of events in a message */
  constructor(
    { generation, dataset }: ReplayPurpose,
    private readonly maxEvents = MAX_REPLAY_EVENTS,
  ) {
    this.attributes = { replay: String(generation), dataset };
  }

  /** Adds an event. @returns the message of the events before it, if that is full now */
  add(event: ReplayEvent): ReplayMessage | undefined {
    const line = replayLine(event);
    const size = Buffer.byteLength(line) + 1;
    const isFull = this.lines.length >= this.maxEvents || this.bytes + size > MAX_REPLAY_BYTES;
    const full = isFull ? this.flush() : undefined;
    this.lines.push(line);
    this.bytes += size;
    return full;
  }

  /** The message of the events that are left; undefined when there are none. */
  flush(): ReplayMessage | undefined {
    const { lines, attributes } = this;
    if (lines.length === 0) return undefined;
    this.lines = [];
    this.bytes = 0;
    return { data: Buffer.from(lines.join("\n")), attributes, events: lines.length };
  }
}

/** A line of a replay message, decoded. */
export type ReplayLine =
  | { readonly ok: true; readonly event: ReplayEvent }
  | {
      readonly ok: false;
      /** 1 for the first line. */
      readonly line: number;
      /** The line as it was received. */
      readonly payload: Uint8Array;
      /** What is wrong with it: completes a sentence that begins with "The line". */
      readonly message: string;
    };

const LINE_BREAK = 0x0a;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** The last millisecond of the year 9999, the latest time of a BigQuery timestamp; epoch ms. */
const MAX_TIME_MS = 253_402_300_799_999;

const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TIME_MS;

type ParsedLine = { readonly event: ReplayEvent } | { readonly message: string };

function toEvent(value: unknown): ParsedLine {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { message: "is not a JSON object" };
  const fields = value as Record<string, unknown>;
  const { event_id, session_id, event_name, event_time, user_id, received_at } = fields;
  // Lines of an earlier release lack the next two.
  const { anonymous_id = null, is_bot = false } = fields;
  if (!isText(event_id)) return { message: "has an event_id that is not a text, or an empty one" };
  if (!isText(session_id)) return { message: "has a session_id that is not a text, or an empty one" };
  if (typeof event_name !== "string") return { message: "has an event_name that is not a text" };
  if (!isTime(event_time))
    return { message: "has an event_time that is not an integer, epoch milliseconds from 1970 on" };
  if (user_id !== null && typeof user_id !== "string")
    return { message: "has a user_id that is neither a text nor null" };
  if (anonymous_id !== null && typeof anonymous_id !== "string")
    return { message: "has an anonymous_id that is neither a text nor null" };
  if (typeof is_bot !== "boolean") return { message: "has an is_bot that is neither true nor false" };
  if (!isTime(received_at))
    return { message: "has a received_at that is not an integer, epoch milliseconds from 1970 on" };
  return { event: { event_id, session_id, event_name, event_time, user_id, anonymous_id, is_bot, received_at } };
}

function parseLine(text: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { message: `is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  return toEvent(value);
}

/**
 * The events of a replay message, in their order. A broken line changes nothing for the others. Empty lines are skipped.
 * Never throws.
 */
export function* decodeReplay(data: Uint8Array): Generator<ReplayLine> {
  let line = 0;
  for (let start = 0; start < data.length;) {
    const found = data.indexOf(LINE_BREAK, start);
    const end = found < 0 ? data.length : found;
    const payload = data.subarray(start, end);
    start = end + 1;
    line++;
    if (payload.length === 0) continue;
    if (!isUtf8(payload)) {
      yield { ok: false, line, payload, message: "is not UTF-8 text" };
      continue;
    }
    const parsed = parseLine(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8"));
    if ("event" in parsed) yield { ok: true, event: parsed.event };
    else yield { ok: false, line, payload, message: parsed.message };
  }
}
