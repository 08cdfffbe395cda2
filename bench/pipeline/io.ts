/** Source and sinks to measure the pipeline alone: the source emits messages as fast as possible, the sinks count rows. */
import "@eventlogger/beam/sdk";
import { impulse, withName, type PCollection, type Root } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import { appendFileSync } from "node:fs";
import { bundleParDo, count, pipe, splittableParDo } from "@eventlogger/beam";
import type { BundleDoFn, Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { Sink } from "@eventlogger/pipeline/eventPipeline";
import { pubSubMessageCoder, type PubSubMessage } from "@eventlogger/pipeline/io/pubsub/message";
import { messageData, syntheticEvents, type SyntheticTraffic } from "@eventlogger/traffic/load/syntheticMessages";
import { registerModule } from "@eventlogger/beam/registerModule";
import { PUBLISH_DELAY_MS, readMessageFile, type Message } from "../traffic/messageFile";

const YIELD_EVERY = 256;

/** How far the watermark is behind the newest event, ms. */
const WATERMARK_DELAY_MS = 1000;

/** Where the messages come from: generated in the worker, or read from a file of messageFile.ts. Plain data. */
export type MessageOrigin =
  { readonly kind: "generated"; readonly traffic: SyntheticTraffic } | { readonly kind: "file"; readonly file: string };

interface Progress {
  emitted: number;
  /** Time of the newest event, epoch ms. */
  lastMs: number;
}

function* generate(traffic: SyntheticTraffic): Generator<Message> {
  for (const event of syntheticEvents(traffic)) yield { eventTime: event.eventTime, data: messageData(event) };
}

/** The messages of this process. They are read once: a benchmark does not survive its worker. */
let messages: Generator<Message> | undefined;

export class BenchSource implements SplittableDoFn<PubSubMessage, Progress> {
  /** @param count number of messages */
  constructor(
    readonly origin: MessageOrigin,
    readonly count: number,
    readonly checkpointMs: number,
  ) {}

  restrictions(): Progress[] {
    return [{ emitted: 0, lastMs: 0 }];
  }

  async process({ emitted, lastMs }: Progress, context: ProcessContext<PubSubMessage>): Promise<Residual<Progress>> {
    const { origin } = this;
    messages ??= origin.kind === "file" ? readMessageFile(origin.file) : generate(origin.traffic);
    const deadline = Date.now() + this.checkpointMs;
    let last = lastMs;
    let n = 0;
    for (;;) {
      const next = messages.next();
      if (next.done) break;
      const { eventTime, data } = next.value;
      last = eventTime;
      const message = { data, messageId: `m${emitted + n}`, publishTime: eventTime + PUBLISH_DELAY_MS };
      n++;
      const result = context.emit(message, eventTime);
      if (result) await result;
      if (n % YIELD_EVERY === 0) {
        if (Date.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
    const done = emitted + n >= this.count;
    return {
      restriction: { emitted: emitted + n, lastMs: last },
      watermarkMs: last - WATERMARK_DELAY_MS,
      resumeDelayMs: done ? 1000 : 0,
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
 */
export function readMessages(
  origin: MessageOrigin,
  messageCount: number,
  checkpointMs: number,
): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadSynthetic", (root: Root) =>
    pipe(
      root,
      withName("Impulse", impulse()),
      splittableParDo("Make", new BenchSource(origin, messageCount, checkpointMs), pubSubMessageCoder),
    ),
  );
}

export function countRows<Row>(name: string, counter: string, file?: string): Sink<Row> {
  return bundleParDo(name, new CountRows(counter, file), new GeneralObjectCoder<DeadLetter>());
}

registerModule(module);
