import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Message, PubSub } from "@google-cloud/pubsub";
import { decodeMessage, type DecodedMessage } from "@eventlogger/events/eventMessage";
import { deleteSubscription } from "@eventlogger/gcp/pubsub/setup/copySubscription";
import { createTemporarySubscription } from "@eventlogger/gcp/pubsub/temporarySubscription";

/** Messages that are received and not yet shown. Further ones wait in Pub/Sub, so that a slow reader costs no memory. */
const MAX_MESSAGES = 1000;

export interface TailOptions {
  readonly topic: string;
  /** Called with the name of the subscription once it gets messages. */
  readonly onStart: (subscription: string) => void;
  /**
   * Called for each message, one at a time.
   * @returns false to stop
   */
  readonly show: (decoded: DecodedMessage, messageId: string) => Promise<boolean>;
  /** Ends the tail. */
  readonly signal: AbortSignal;
}

/**
 * Shows the messages that a topic gets from now on, by a subscription of its own, which it deletes at the end.
 * @throws UserError when the topic does not exist; Error that names the missing permission, or the client's error
 */
export async function tailTopic(pubsub: PubSub, { topic, onStart, show, signal }: TailOptions): Promise<void> {
  const name = `eventlogger-tail-${randomBytes(6).toString("hex")}`;
  await createTemporarySubscription(pubsub, topic, name);
  try {
    if (signal.aborted) return;
    const subscription = pubsub.subscription(name, { flowControl: { maxMessages: MAX_MESSAGES } });
    let shown = Promise.resolve(true);
    const stop = new AbortController();
    subscription.on("message", (message: Message) => {
      shown = shown.then(async (isWanted) => {
        if (!isWanted || signal.aborted || stop.signal.aborted) return false;
        const { id, data, publishTime } = message;
        const goesOn = await show(decodeMessage(data, { messageId: id, publishTime: publishTime.getTime() }), id);
        message.ack();
        if (!goesOn) stop.abort();
        return goesOn;
      });
      shown.catch((error: unknown) => stop.abort(error));
    });
    const failed = new Promise<never>((_, reject) => subscription.on("error", reject));
    onStart(name);
    try {
      const ends = [signal, stop.signal].map((end) => (end.aborted ? undefined : once(end, "abort")));
      await Promise.race([...ends, failed]);
      if (stop.signal.aborted) await shown;
    } finally {
      await subscription.close();
    }
  } finally {
    await deleteSubscription(pubsub, name);
  }
}
