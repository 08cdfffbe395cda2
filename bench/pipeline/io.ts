/** Source and sinks to measure the pipeline alone: the source emits messages as fast as possible, the sinks count rows. */
import "@eventlogger/beam/sdk";
import { impulse, withName, type PCollection, type Root } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { bundleParDo, count, pipe, splittableParDo } from "@eventlogger/beam";
import type { BundleDoFn, Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import { ReplayEncoder, type ReplayMessage } from "@eventlogger/events/replayMessage";
import type { Sink } from "@eventlogger/pipeline/eventPipeline";
import { pubSubMessageCoder, type PubSubMessage } from "@eventlogger/pipeline/io/pubsub/message";
import {
  messageData,
  syntheticEvents,
  type SyntheticEvent,
  type SyntheticTraffic,
} from "@eventlogger/traffic/load/syntheticMessages";
import { registerModule } from "@eventlogger/beam/registerModule";
import { eventsOfKnownUsers, eventsOfReturningUsers, type GrowthTraffic } from "../growth/traffic";
import { PUBLISH_DELAY_MS, readMessageFile, type Message } from "../traffic/messageFile";

const YIELD_EVERY = 256;

/** Time between two looks for more messages, ms. */
const IDLE_MS = 200;

/** How far the watermark is behind the newest event, ms. */
const WATERMARK_DELAY_MS = 1000;

/** Where the messages come from: generated in the worker, or read from a file of messageFile.ts. Plain data. */
export type MessageOrigin =
  | {
      readonly kind: "generated";
      readonly traffic: SyntheticTraffic;
      /** Number of readers, each of an equal part of the messages. @default 1 */
      readonly parts?: number;
    }
  | { readonly kind: "file"; readonly file: string }
  /** The events of `generated`, as messages of a replay. */
  | { readonly kind: "replay"; readonly traffic: SyntheticTraffic }
  | {
      readonly kind: "growth";
      readonly traffic: GrowthTraffic;
      /** Files that open the second and the third day: the source waits until they exist. */
      readonly gates: readonly [string, string];
    };

/** A message, and the attribute of one of a replay. */
type SourceMessage = Message & { readonly replay?: string };

/** The generation in the messages of a replay. The pipeline does not compare it. */
const REPLAY_GENERATION = 1;

interface Progress {
  /** Number of the reader, from 0. */
  part: number;
  emitted: number;
  /** Time of the newest event, epoch ms. */
  lastMs: number;
}

function* encode(events: Iterable<SyntheticEvent>): Generator<Message> {
  for (const event of events) yield { eventTime: event.eventTime, data: messageData(event) };
}

function* partOf(events: Iterable<SyntheticEvent>, part: number, parts: number): Generator<SyntheticEvent> {
  for (const event of events) if (event.index % parts === part) yield event;
}

const partsOf = (origin: MessageOrigin): number => (origin.kind === "generated" && origin.parts) || 1;

/** Files by which a worker reports the first and the last message at once; its counters arrive up to a second later. */
export interface SourceMarks {
  readonly first: string;
  readonly last: string;
}

/** The files that exist when every reader has emitted its last message. */
export function lastMarks({ last }: SourceMarks, origin: MessageOrigin): string[] {
  return Array.from({ length: partsOf(origin) }, (_, part) => lastMark(last, part));
}

const lastMark = (last: string, part: number): string => (part === 0 ? last : `${last}-${part}`);

/** Creates a file with the time, epoch ms, if it does not exist. */
function mark(file: string): void {
  if (!existsSync(file)) writeFileSync(file, String(Date.now()));
}

/** Yields undefined until the file exists. */
function* waitFor(gate: string): Generator<undefined> {
  while (!existsSync(gate)) yield undefined;
}

/** Messages with many events each, as `eventlogger replay` publishes them. */
function* encodeReplay(events: Iterable<SyntheticEvent>): Generator<SourceMessage> {
  const encoder = new ReplayEncoder({ generation: REPLAY_GENERATION, dataset: "bench" });
  let eventTime = 0;
  const message = ({ data }: ReplayMessage): SourceMessage => ({ eventTime, data, replay: String(REPLAY_GENERATION) });
  for (const { index, sessionId, userId, eventTime: event_time } of events) {
    const ids = { event_id: `event-${index}`, session_id: sessionId, user_id: userId };
    const full = encoder.add({
      ...{ ...ids, anonymous_id: null, is_bot: false },
      ...{ event_name: "page_view", event_time, received_at: event_time + 20 },
    });
    if (full) yield message(full);
    eventTime = event_time;
  }
  const rest = encoder.flush();
  if (rest) yield message(rest);
}

/** The messages of a reader; undefined where it has to wait. */
function* messagesOf(origin: MessageOrigin, part: number): Generator<SourceMessage | undefined> {
  switch (origin.kind) {
    case "generated":
      yield* encode(partOf(syntheticEvents(origin.traffic), part, partsOf(origin)));
      return;
    case "replay":
      yield* encodeReplay(syntheticEvents(origin.traffic));
      return;
    case "file":
      yield* readMessageFile(origin.file);
      return;
    case "growth": {
      const [secondDay, thirdDay] = origin.gates;
      yield* encode(eventsOfKnownUsers(origin.traffic));
      yield* waitFor(secondDay);
      yield* encode(eventsOfReturningUsers(origin.traffic, "warm-up"));
      yield* waitFor(thirdDay);
      yield* encode(eventsOfReturningUsers(origin.traffic, "measured"));
    }
  }
}

/**
 * The messages of the readers in this process, by the file that each marks at its end. They are read once: a benchmark does
 * not survive its worker.
 */
const readers = new Map<string, Generator<SourceMessage | undefined>>();

export class BenchSource implements SplittableDoFn<PubSubMessage, Progress> {
  /** @param marks see {@link readMessages} */
  constructor(
    readonly origin: MessageOrigin,
    readonly checkpointMs: number,
    readonly marks: SourceMarks,
  ) {}

  restrictions(): Progress[] {
    return Array.from({ length: partsOf(this.origin) }, (_, part) => ({ part, emitted: 0, lastMs: 0 }));
  }

  async process(progress: Progress, context: ProcessContext<PubSubMessage>): Promise<Residual<Progress>> {
    const { part, emitted, lastMs } = progress;
    const end = lastMark(this.marks.last, part);
    let messages = readers.get(end);
    if (!messages) {
      messages = messagesOf(this.origin, part);
      readers.set(end, messages);
      mark(this.marks.first);
    }
    const deadline = Date.now() + this.checkpointMs;
    let last = lastMs;
    let n = 0;
    let isWaiting = false;
    for (;;) {
      const next = messages.next();
      isWaiting = next.done === true || next.value === undefined;
      if (next.done) mark(end);
      if (next.done || next.value === undefined) break;
      const { eventTime, data, replay } = next.value;
      last = eventTime;
      const message = {
        ...{ data, messageId: `m${part}-${emitted + n}`, publishTime: eventTime + PUBLISH_DELAY_MS },
        ...(replay !== undefined && { replay }),
      };
      n++;
      const result = context.emit(message, eventTime);
      if (result) await result;
      // A message of a replay has many events.
      if (replay !== undefined || n % YIELD_EVERY === 0) {
        if (Date.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
    return {
      restriction: { part, emitted: emitted + n, lastMs: last },
      watermarkMs: last - WATERMARK_DELAY_MS,
      resumeDelayMs: isWaiting ? IDLE_MS : 0,
    };
  }
}

/** Counts rows, and appends them to a file if there is one. */
export class CountRows implements BundleDoFn<unknown, DeadLetter> {
  private lines: string[] = [];
  constructor(
    readonly counter: string,
    readonly file: string | undefined,
  ) {}
  startBundle(): void {
    this.lines = [];
  }
  process(row: unknown): void {
    count(this.counter);
    if (this.file) this.lines.push(JSON.stringify(row) + "\n");
  }
  finishBundle(): void {
    if (this.file && this.lines.length) appendFileSync(this.file, this.lines.join(""));
  }
}

/**
 * Reads messages as a source without waits.
 * @param checkpointMs time between self-checkpoints of the source, ms
 * @param marks files that are created when the first message is about to be emitted, and when the last one was emitted
 */
export function readMessages(
  origin: MessageOrigin,
  checkpointMs: number,
  marks: SourceMarks,
): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadSynthetic", (root: Root) =>
    pipe(
      root,
      withName("Impulse", impulse()),
      splittableParDo("Make", new BenchSource(origin, checkpointMs, marks), pubSubMessageCoder),
    ),
  );
}

export function countRows<Row>(name: string, counter: string, file?: string): Sink<Row> {
  return bundleParDo(name, new CountRows(counter, file), new GeneralObjectCoder<DeadLetter>());
}

registerModule(module);
