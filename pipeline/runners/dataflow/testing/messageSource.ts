import "@eventlogger/beam/sdk";
import type { PCollection, Root } from "apache-beam";
import { impulse } from "apache-beam/transforms/internal";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { pipe, splittableParDo, type Residual, type ProcessContext, type SplittableDoFn } from "@eventlogger/beam";
import { pubSubMessageCoder, type PubSubMessage } from "../../../io/pubsub/message";
import { registerModule } from "@eventlogger/beam/registerModule";

/** A message that a test sends. */
export interface SentMessage {
  readonly id: string;
  readonly text: string;
  /** Its event time; epoch ms. */
  readonly timeMs: number;
}

const PER_SLICE = 100;

/** A source without end that gives out messages, some at a time, and then stays. */
export class MessageSource implements SplittableDoFn<PubSubMessage, { next: number }> {
  constructor(private readonly messages: readonly SentMessage[]) {}
  restrictions(): { next: number }[] {
    return [{ next: 0 }];
  }
  async process(
    { next }: { next: number },
    context: ProcessContext<PubSubMessage>,
  ): Promise<Residual<{ next: number }>> {
    const slice = this.messages.slice(next, next + PER_SLICE);
    for (const { id, text, timeMs } of slice) {
      await context.emit({ data: Buffer.from(text), messageId: id, publishTime: Date.now() }, timeMs);
    }
    return { restriction: { next: next + slice.length }, watermarkMs: Date.now(), resumeDelayMs: 300 };
  }
}

/** Stands in the place of a Pub/Sub source. */
export function readMessages(messages: readonly SentMessage[]): PTransform<Root, PCollection<PubSubMessage>> {
  return withName("ReadMessages", (root: Root) =>
    pipe(root, impulse(), splittableParDo("Messages", new MessageSource(messages), pubSubMessageCoder)),
  );
}

registerModule(module);
