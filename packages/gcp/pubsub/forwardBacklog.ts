import type { Message, PubSub } from "@google-cloud/pubsub";
import { undefinedIfNotFound } from "../api/errorCode";

export interface ForwardOptions {
  /** Messages that were published until then are published again; epoch ms. */
  readonly untilMs: number;
  /**
   * The subscription has no old message any more when it delivers none for this time; ms. At least the longest lease of its last
   * reader. Later messages may keep coming.
   */
  readonly quietMs: number;
  readonly signal: AbortSignal;
}

const toError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

/**
 * Empties a subscription that no pipeline reads any more: publishes its old messages to its topic again, for the topic's other
 * subscriptions, and acknowledges all. A message is acknowledged only after it was published.
 * @returns the number of messages that were published again; 0 when the subscription does not exist
 * @throws the reason of the signal; Error of the Pub/Sub client. What was not acknowledged is then still in the subscription.
 */
export async function forwardBacklog(
  pubsub: PubSub,
  name: string,
  { untilMs, quietMs, signal }: ForwardOptions,
): Promise<number> {
  const found = await undefinedIfNotFound(async () => (await pubsub.subscription(name).getMetadata())[0]);
  if (!found?.topic || found.topic === "_deleted-topic_") return 0;
  signal.throwIfAborted();
  const topic = pubsub.topic(found.topic);
  const subscription = pubsub.subscription(name, { flowControl: { maxMessages: 1000 } });
  let forwarded = 0;
  let inFlight = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      let timer: NodeJS.Timeout;
      const waitForQuiet = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => (inFlight > 0 ? waitForQuiet() : resolve()), quietMs);
      };
      const forward = async (message: Message): Promise<void> => {
        inFlight++;
        try {
          if (message.publishTime.getTime() <= untilMs) {
            waitForQuiet();
            await topic.publishMessage({ data: message.data, attributes: message.attributes });
            forwarded++;
          }
          message.ack();
        } catch (error) {
          message.nack();
          reject(toError(error));
        } finally {
          inFlight--;
        }
      };
      signal.addEventListener("abort", () => reject(toError(signal.reason)), { once: true });
      subscription.on("error", reject);
      subscription.on("message", (message: Message) => void forward(message));
      waitForQuiet();
    });
  } finally {
    subscription.removeAllListeners("message");
    await subscription.close();
  }
  return forwarded;
}
