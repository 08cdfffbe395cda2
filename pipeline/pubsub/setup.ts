import type { PubSub } from "@google-cloud/pubsub";
import { createUnlessThere, type SetupStep } from "../setupStep";

const ALREADY_EXISTS = 6; // gRPC

/** Time until a message that is not acknowledged is delivered again, unless the deadline is moved. */
const ACK_DEADLINE_SECONDS = 10;

const create = (make: () => Promise<unknown>) => createUnlessThere(make, ALREADY_EXISTS);

/**
 * Makes the topic and the subscription. Safe to repeat.
 * @throws Error when the subscription exists and belongs to another topic; errors of the Pub/Sub client.
 */
export async function setUpPubSub(
  pubsub: PubSub,
  { topic: topicName, subscription: subscriptionName }: { topic: string; subscription: string },
): Promise<SetupStep[]> {
  const topic = pubsub.topic(topicName);
  const topicOutcome = await create(() => topic.create());
  const subscription = topic.subscription(subscriptionName);
  const subscriptionOutcome = await create(() =>
    subscription.create({
      ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
      expirationPolicy: {}, // never: a pipeline that stood still for a month must find its subscription again
      enableMessageOrdering: false, // the numbers do not depend on order, and order costs throughput
    }),
  );
  if (subscriptionOutcome === "exists") {
    const [metadata] = await subscription.getMetadata();
    const path = `projects/${pubsub.projectId}/topics/${topicName}`;
    if (metadata.topic !== path) {
      throw new Error(
        `Subscription ${subscriptionName} exists and belongs to ${metadata.topic}, not to ${path}. ` +
          `Choose another subscription (--subscription), or delete it`,
      );
    }
  }
  return [
    { kind: "topic", name: topicName, outcome: topicOutcome },
    { kind: "subscription", name: subscriptionName, outcome: subscriptionOutcome },
  ];
}
