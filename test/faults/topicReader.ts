import { setTimeout as sleep } from "node:timers/promises";
import type { Message, PubSub, Subscription } from "@google-cloud/pubsub";

/** A subscription without messages for this long has been read to its end, ms. */
const QUIET_MS = 1500;
/** Missing messages count as lost when no message has arrived for this long, ms. */
const LOST_AFTER_MS = 30_000;

/** The contents of a topic, compared with the acknowledged events. */
export interface TopicContents {
  /** Number of messages, including redelivered ones. */
  readonly messages: number;
  readonly events: number;
  /** Ids that were acknowledged and did not arrive. */
  readonly missing: readonly string[];
}

/** Reads a topic from its creation on, by a connection that no fault affects. */
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
    // The client reconnects by itself.
    subscription.on("error", () => undefined);
  }

  /** Creates a topic and starts to read it. @param onMessage gets every message */
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

  /** Reads to the end. @param acknowledged ids of the events that must be in the topic */
  async readToEnd(acknowledged: readonly string[]): Promise<TopicContents> {
    const started = performance.now();
    const missing = (): readonly string[] => acknowledged.filter((id) => !this.ids.has(id));
    for (;;) {
      const quietMs = performance.now() - Math.max(this.lastAt, started);
      if (quietMs > QUIET_MS && (quietMs > LOST_AFTER_MS || missing().length === 0)) break;
      await sleep(200);
    }
    return { messages: this.messages, events: this.ids.size, missing: missing() };
  }

  close(): Promise<void> {
    return this.subscription.close();
  }
}
