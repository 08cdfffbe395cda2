import "@eventlogger/beam/sdk";
import { impulse, withName, type PCollection, type Root } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { onWorkerGone, pipe, splittableParDo } from "@eventlogger/beam";
import type { Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import { pubSubMessageCoder, type PubSubMessage } from "../message";
import { reportSource } from "./sourceGauges";
import { Subscriber, type SubscriberOptions } from "./subscriber";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface PubSubSourceOptions extends SubscriberOptions {
  /** Time from the first message to the self-checkpoint; ms. Flink emits a source's output only at a self-checkpoint. */
  readonly selfCheckpointMs: number;
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

/** Open subscribers of this process. They stay open across self-checkpoints. */
const subscribers = new Map<string, Subscriber>();

/** Closes all subscribers of this process; they nack the messages that they hold. */
export async function closeSubscribers(): Promise<void> {
  const open = [...subscribers.values()];
  subscribers.clear();
  await Promise.all(open.map((s) => s.close()));
}
onWorkerGone(closeSubscribers);

function subscriberFor(options: SubscriberOptions): Subscriber {
  const key = `${options.project}/${options.subscription}`;
  let subscriber = subscribers.get(key);
  if (!subscriber || subscriber.error) {
    subscribers.set(key, (subscriber = new Subscriber(options)));
    reportSource(subscriber); // replaces the reports of an earlier subscriber
  }
  return subscriber;
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
 * Reads a subscription by streaming pull. Its restrictions never complete, and are all alike: a restriction is the right to
 * read for some time. Each process has one subscriber, which is read for one restriction at a time; the other restrictions of
 * the process only report its watermark. So every process that has a restriction is one reader, and Flink's watermark is the
 * minimum of all of them.
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
    const subscriber = subscriberFor(this.options);
    // Releases that stored no watermark derived it from the clock, so it was at most the current time.
    const reported = restriction.watermarkMs ?? Date.now();
    const reading = subscriber.beginReading();
    if (!reading) return residual(reported, subscriber, IDLE_RESTRICTION_MS);
    try {
      await this.read(subscriber, reported, context);
    } finally {
      reading.end();
    }
    return residual(reported, subscriber, 0);
  }

  /** Takes and emits messages until it is time for a self-checkpoint. */
  private async read(subscriber: Subscriber, reported: number, context: ProcessContext<PubSubMessage>): Promise<void> {
    const { selfCheckpointMs, idleSelfCheckpointMs, maxPerSelfCheckpoint } = this.options;
    const batch = subscriber.startBatch();
    context.onFinalize({
      commit: (checkpoint) => subscriber.finalized(batch, checkpoint),
      abort: () => subscriber.nack(batch),
    });
    const taken = batch.messages;
    let deadline = performance.now() + idleSelfCheckpointMs;
    while (taken.length < maxPerSelfCheckpoint) {
      if (subscriber.error) throw new Error(`Pub/Sub: ${subscriber.error.message}`, { cause: subscriber.error });
      if (context.aborted) throw context.aborted;
      const next = subscriber.take(batch);
      if (!next) {
        const left = deadline - performance.now();
        if (left <= 0) break;
        // Wakes up regularly to notice an abort.
        await subscriber.wait(Math.min(left, 200));
        continue;
      }
      if (taken.length === 1) deadline = performance.now() + selfCheckpointMs;
      const { message, eventTime, publishTime } = next;
      const emitted = context.emit(
        { data: message.data, messageId: message.id, publishTime, watermark: reported },
        eventTime,
      );
      if (emitted) await emitted;
      if (taken.length % YIELD_EVERY === 0) {
        if (performance.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
  }
}

function residual(reported: number, subscriber: Subscriber, resumeDelayMs: number): Residual<SourceRestriction> {
  const watermarkMs = Math.max(reported, subscriber.watermark());
  return { restriction: { watermarkMs }, watermarkMs, resumeDelayMs };
}

/** Reads a Pub/Sub subscription on runners without a native Pub/Sub source. */
export function readFromPubSub(options: PubSubSourceOptions): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadFromPubSub", (root: Root) =>
    pipe(root, withName("Impulse", impulse()), splittableParDo("Pull", new PubSubSource(options), pubSubMessageCoder)),
  );
}

registerModule(module);
