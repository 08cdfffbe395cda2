import { setTimeout as sleep } from "node:timers/promises";
import type { Message, PubSub, Subscription } from "@google-cloud/pubsub";

/** Nothing has come for so long, ms: then a subscription is read to its end. */
const QUIET_MS = 1500;
/** As long as messages come they are waited for; without any for so long, ms, what is missing is missing. */
const PATIENCE_MS = 15_000;

/** What a topic holds, compared with what it must hold. */
export interface TopicContents {
  /** Messages that came, repetitions included. */
  readonly messages: number;
  readonly events: number;
  /** Ids that were promised and have not come. */
  readonly missing: readonly string[];
}

/** Reads a topic from the moment it was made, past every fault that is put in the way of others. */
export class TopicReader {
  private readonly ids = new Set<string>();
  private messages = 0;
  private lastAt = performance.now();

  private constructor(
    readonly topic: string,
    private readonly subscription: Subscription,
    private readonly onMessage: (message: Message) => void,
  ) {
    subscription.on("message", (message: Message) => {
      this.messages++;
      this.lastAt = performance.now();
      this.ids.add(message.attributes.event_id ?? "");
      this.onMessage(message);
      message.ack();
    });
    // The client goes on by itself.
    subscription.on("error", () => undefined);
  }

  /** Makes a topic and begins to read it. @param onMessage sees every message */
  static async create(
    pubsub: PubSub,
    topic: string,
    onMessage: (message: Message) => void = () => undefined,
  ): Promise<TopicReader> {
    await pubsub.createTopic(topic);
    const [subscription] = await pubsub
      .topic(topic)
      .createSubscription(`${topic}-all`, { flowControl: { maxMessages: 5000 } });
    return new TopicReader(topic, subscription, onMessage);
  }

  /** Reads to the end. @param promised ids of the events that must be there */
  async readToEnd(promised: readonly string[]): Promise<TopicContents> {
    const started = performance.now();
    const missing = (): readonly string[] => promised.filter((id) => !this.ids.has(id));
    for (;;) {
      const quietMs = performance.now() - Math.max(this.lastAt, started);
      if (quietMs > QUIET_MS && (quietMs > PATIENCE_MS || missing().length === 0)) break;
      await sleep(200);
    }
    return { messages: this.messages, events: this.ids.size, missing: missing() };
  }

  close(): Promise<void> {
    return this.subscription.close();
  }
}
