import "@eventlogger/beam/sdk";
import { impulse, withName, type PCollection, type Root } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { onWorkerGone, pipe, splittableParDo } from "@eventlogger/beam";
import type { Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import { pubSubMessageCoder, type PubSubMessage } from "../message";
import { Subscriber, type Received, type SubscriberOptions } from "./subscriber";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface PubSubSourceOptions extends SubscriberOptions {
  /** How long a slice collects after its first message; ms. Output leaves Flink's source only at the end of a slice. */
  readonly sliceMs: number;
  /** How long a slice waits for its first message; ms. Checkpoints wait with it. */
  readonly idleSliceMs: number;
  readonly maxPerSlice: number;
}

/** Messages between looks at the clock, and turns given to the other work of the process. */
const YIELD_EVERY = 256;

/** Open subscribers of this process: they outlive slices. */
const subscribers = new Map<string, Subscriber>();
onWorkerGone(async () => {
  const open = [...subscribers.values()];
  subscribers.clear();
  await Promise.all(open.map((s) => s.close()));
});

function subscriberFor(options: SubscriberOptions): Subscriber {
  const key = `${options.project}/${options.subscription}`;
  let subscriber = subscribers.get(key);
  if (!subscriber || subscriber.error) subscribers.set(key, (subscriber = new Subscriber(options)));
  return subscriber;
}

type Whole = Record<string, never>;

/** Reads a subscription by streaming pull; one restriction, which is never done. */
export class PubSubSource implements SplittableDoFn<PubSubMessage, Whole> {
  constructor(readonly options: PubSubSourceOptions) {}

  restrictions(): Whole[] {
    return [{}];
  }

  async process(restriction: Whole, context: ProcessContext<PubSubMessage>): Promise<Residual<Whole>> {
    const { sliceMs, idleSliceMs, maxPerSlice } = this.options;
    const subscriber = subscriberFor(this.options);
    const taken: Received[] = [];
    context.onFinalize({ commit: () => subscriber.finalized(taken), abort: () => subscriber.giveBack(taken) });
    let deadline = Date.now() + idleSliceMs;
    while (taken.length < maxPerSlice) {
      if (subscriber.error) throw new Error(`Pub/Sub: ${subscriber.error.message}`, { cause: subscriber.error });
      if (context.aborted) throw context.aborted;
      const next = subscriber.take();
      if (!next) {
        const left = deadline - Date.now();
        if (left <= 0) break;
        // Looks up now and then, to see an abort.
        await subscriber.wait(Math.min(left, 200));
        continue;
      }
      if (!taken.length) deadline = Date.now() + sliceMs;
      taken.push(next);
      const { message, eventTime } = next;
      const emitted = context.emit(
        { data: message.data, messageId: message.id, publishTime: message.publishTime.getTime() },
        eventTime,
      );
      if (emitted) await emitted;
      if (taken.length % YIELD_EVERY === 0) {
        if (Date.now() >= deadline) break;
        await new Promise(setImmediate);
      }
    }
    return { restriction, watermarkMs: subscriber.watermark(), resumeDelayMs: 0 };
  }
}

/** Reads a Pub/Sub subscription on runners that have no source of their own for it. */
export function readFromPubSub(options: PubSubSourceOptions): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadFromPubSub", (root: Root) =>
    pipe(root, withName("Impulse", impulse()), splittableParDo("Pull", new PubSubSource(options), pubSubMessageCoder)),
  );
}

registerModule(module);
