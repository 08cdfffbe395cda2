import "@eventlogger/beam/sdk";
import { impulse, withName, type PCollection, type Root } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { onWorkerGone, pipe, splittableParDo } from "@eventlogger/beam";
import type { Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import { pubSubMessageCoder, type PubSubMessage } from "../message";
import { reportSource } from "./sourceGauges";
import { SourceReader, type SourceReaderOptions } from "./sourceReader";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Flink emits a source's output only at a self-checkpoint. */
export interface PubSubSourceOptions extends SourceReaderOptions {
  /** Time until the self-checkpoint when no message arrives; ms. Checkpoints of the runner wait for it. */
  readonly idleSelfCheckpointMs: number;
  /** Maximum number of messages between two self-checkpoints. */
  readonly maxPerSelfCheckpoint: number;
}

/** Messages between two checks of the clock, after which other work of the process gets its turn. */
const YIELD_EVERY = 256;

/**
 * Number of restrictions, so that a pipeline can have up to this many readers. It belongs to the state, and does not depend
 * on the parallelism: a pipeline that resumes with a higher parallelism has restrictions for its new readers.
 */
const RESTRICTIONS = 16;

/** Time after which a restriction whose process is reading another one is looked at again; ms. */
const IDLE_RESTRICTION_MS = 1000;

/** Open readers of this process. They stay open across self-checkpoints. */
const readers = new Map<string, SourceReader>();

/** Closes all readers of this process; they nack the messages that they hold. */
export async function closeReaders(): Promise<void> {
  const open = [...readers.values()];
  readers.clear();
  await Promise.all(open.map((reader) => reader.close()));
}
onWorkerGone(closeReaders);

function readerFor(options: SourceReaderOptions): SourceReader {
  const key = `${options.project}/${options.subscription}`;
  let reader = readers.get(key);
  if (!reader || reader.error) {
    readers.set(key, (reader = new SourceReader(options)));
    reportSource(reader); // replaces the reports of an earlier reader
  }
  return reader;
}

/**
 * The restriction of {@link PubSubSource}. The runner stores it with the watermark of the residual, so that both are
 * restored together.
 */
export interface SourceRestriction {
  /** The watermark that was reported last, epoch ms. Absent in state of releases that did not store it. */
  readonly watermarkMs?: number;
}

/**
 * Reads live and replayed events by streaming pull. Its restrictions never complete, and are all alike: a restriction is the right to
 * read for some time. Each process has one reader, which reads for one restriction at a time; the other restrictions of
 * the process only report its watermark. So every process that has a restriction reads both subscriptions, and Flink's watermark is
 * the minimum of all of them.
 */
export class PubSubSource implements SplittableDoFn<PubSubMessage, SourceRestriction> {
  constructor(readonly options: PubSubSourceOptions) {}

  restrictions(): SourceRestriction[] {
    return Array.from({ length: RESTRICTIONS }, () => ({ watermarkMs: 0 }));
  }

  async process(
    restriction: SourceRestriction,
    context: ProcessContext<PubSubMessage>,
  ): Promise<Residual<SourceRestriction>> {
    const reader = readerFor(this.options);
    // Releases that stored no watermark derived it from the clock, so it was at most the current time.
    const reported = restriction.watermarkMs ?? Date.now();
    const reading = reader.beginReading();
    if (!reading) return residual(reported, reader, IDLE_RESTRICTION_MS);
    try {
      await this.read(reader, reported, context);
    } finally {
      reading.end();
    }
    return residual(reported, reader, 0);
  }

  /** Takes and emits messages until it is time for a self-checkpoint. */
  private async read(reader: SourceReader, reported: number, context: ProcessContext<PubSubMessage>): Promise<void> {
    const { selfCheckpointMs, idleSelfCheckpointMs, maxPerSelfCheckpoint } = this.options;
    const batch = reader.startBatch();
    context.onFinalize({
      commit: (checkpoint) => reader.finalized(batch, checkpoint),
      abort: () => reader.nack(batch),
    });
    let taken = 0;
    let deadline = performance.now() + idleSelfCheckpointMs;
    while (taken < maxPerSelfCheckpoint) {
      if (reader.error) throw new Error(`Pub/Sub: ${reader.error.message}`, { cause: reader.error });
      if (context.aborted) throw context.aborted;
      const next = reader.take(batch, reported);
      if (!next) {
        const left = deadline - performance.now();
        if (left <= 0 || reader.isOutOfBudget) break;
        // Wakes up regularly to notice an abort.
        await reader.wait(Math.min(left, 200));
        continue;
      }
      if (++taken === 1) deadline = performance.now() + selfCheckpointMs;
      const { message, timestamp } = next;
      const emitted = context.emit(message, timestamp);
      if (emitted) await emitted;
      // A replay message has many events.
      if (message.replay !== undefined || taken % YIELD_EVERY === 0) {
        if (performance.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
  }
}

function residual(reported: number, reader: SourceReader, resumeDelayMs: number): Residual<SourceRestriction> {
  const watermarkMs = Math.max(reported, reader.live.watermark());
  return { restriction: { watermarkMs }, watermarkMs, resumeDelayMs };
}

/** Reads the Pub/Sub subscriptions of a pipeline on runners without a native Pub/Sub source. */
export function readFromPubSub(options: PubSubSourceOptions): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadFromPubSub", (root: Root) =>
    pipe(root, withName("Impulse", impulse()), splittableParDo("Pull", new PubSubSource(options), pubSubMessageCoder)),
  );
}

registerModule(module);
