import type { PubSub } from "@google-cloud/pubsub";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { isNotFound } from "@eventlogger/gcp/api/errorCode";
import { needsOn, withPermission } from "@eventlogger/gcp/api/permission";
import { publishRetry } from "@eventlogger/gcp/pubsub/publishRetry";
import { UserError } from "@eventlogger/process/main";
import { MessageRefusedError } from "./resend";

/** https://grpc.io/docs/guides/status-codes/ */
const INVALID_ARGUMENT = 3;
/** Time limit of a publish with its retries; ms. */
const TIMEOUT_MS = 20_000;

/**
 * Publishes events to the topic that the pipeline reads.
 * @returns a function that rejects with a MessageRefusedError when Pub/Sub refuses that message
 */
export function eventTopic(pubsub: PubSub, project: string, topic: string): (event: AnalyticsEvent) => Promise<void> {
  const publisher = pubsub.topic(topic, {
    // One message per request: Pub/Sub refuses a whole request when one of its messages does not match the schema.
    batching: { maxMessages: 1 },
    gaxOpts: publishRetry(TIMEOUT_MS),
  });
  const need = needsOn(project, `topic ${topic}`)("pubsub.topics.publish");
  return async (event) => {
    try {
      await withPermission(need, () => publisher.publishMessage(encodeMessage(event)));
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      if (code === INVALID_ARGUMENT) throw new MessageRefusedError(message);
      if (isNotFound(error))
        throw new UserError(`Topic ${topic} does not exist in project ${project}`, { cause: error });
      throw error;
    }
  };
}
