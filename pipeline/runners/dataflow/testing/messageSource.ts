import "@eventlogger/beam/sdk";
import type { PCollection, Root } from "apache-beam";
import { impulse } from "apache-beam/transforms/internal";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { pipe, splittableParDo, type Residual, type ProcessContext, type SplittableDoFn } from "@eventlogger/beam";
import { pubSubMessageCoder, type PubSubMessage } from "../../../io/pubsub/message";
import { registerModule } from "@eventlogger/beam/registerModule";

/** A message of a test. */
export interface SentMessage {
  readonly id: string;
  readonly text: string;
  /** Event time; epoch ms. */
  readonly timeMs: number;
}

const BATCH_SIZE = 100;

/** An unbounded source that emits messages in batches, then stays idle. */
export class MessageSource implements SplittableDoFn<PubSubMessage, { next: number }> {
  constructor(private readonly messages: readonly SentMessage[]) {}
  restrictions(): { next: number }[] {
    return [{ next: 0 }];
  }
  async process(
    { next }: { next: number },
    context: ProcessContext<PubSubMessage>,
  ): Promise<Residual<{ next: number }>> {
    const batch = this.messages.slice(next, next + BATCH_SIZE);
    for (const { id, text, timeMs } of batch) {
      await context.emit({ data: Buffer.from(text), messageId: id, publishTime: Date.now() }, timeMs);
    }
    return { restriction: { next: next + batch.length }, watermarkMs: Date.now(), resumeDelayMs: 300 };
  }
}

/** A replacement for the Pub/Sub source. */
export function readMessages(messages: readonly SentMessage[]): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadMessages", (root: Root) =>
    pipe(root, impulse(), splittableParDo("Messages", new MessageSource(messages), pubSubMessageCoder)),
  );
}

registerModule(module);
