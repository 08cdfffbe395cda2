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
import {
  messageData,
  syntheticEvents,
  type SyntheticEvent,
  type SyntheticTraffic,
} from "@eventlogger/traffic/load/syntheticMessages";
import { registerModule } from "@eventlogger/beam/registerModule";

const YIELD_EVERY = 256;

interface Progress {
  emitted: number;
}

/** The events of this process. They are read once: a benchmark does not survive its worker. */
let events: Generator<SyntheticEvent> | undefined;

export class SyntheticSource implements SplittableDoFn<PubSubMessage, Progress> {
  constructor(
    readonly traffic: SyntheticTraffic,
    readonly checkpointMs: number,
  ) {}

  restrictions(): Progress[] {
    return [{ emitted: 0 }];
  }

  async process({ emitted }: Progress, context: ProcessContext<PubSubMessage>): Promise<Residual<Progress>> {
    events ??= syntheticEvents(this.traffic);
    const deadline = Date.now() + this.checkpointMs;
    let last = this.traffic.startMs;
    let n = 0;
    for (;;) {
      const next = events.next();
      if (next.done) break;
      const event = next.value;
      last = event.eventTime;
      n++;
      const message = { data: messageData(event), messageId: `m${event.index}`, publishTime: event.eventTime + 20 };
      const result = context.emit(message, event.eventTime);
      if (result) await result;
      if (n % YIELD_EVERY === 0) {
        if (Date.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
    const done = emitted + n >= this.traffic.count;
    return { restriction: { emitted: emitted + n }, watermarkMs: last - 1000, resumeDelayMs: done ? 1000 : 0 };
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

export function readSynthetic(
  traffic: SyntheticTraffic,
  checkpointMs: number,
): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadSynthetic", (root: Root) =>
    pipe(
      root,
      withName("Impulse", impulse()),
      splittableParDo("Make", new SyntheticSource(traffic, checkpointMs), pubSubMessageCoder),
    ),
  );
}

export function countRows<Row>(name: string, counter: string, file?: string): Sink<Row> {
  return bundleParDo(name, new CountRows(counter, file), new GeneralObjectCoder<DeadLetter>());
}

registerModule(module);
