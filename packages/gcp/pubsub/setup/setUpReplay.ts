import type { PubSub } from "@google-cloud/pubsub";
import { isNotFound } from "../../api/errorCode";
import { needsOn, withPermission } from "../../api/permission";
import type { SetupStep } from "../../setup/setupStep";
import { replayNames, type TopicAndSubscription } from "../replayNames";
import { setUpSubscription } from "./subscription";
import { setUpTopic } from "./topic";

/** How long subscriptions retain unacknowledged messages; ms. */
export const DEFAULT_RETENTION_MS = 7 * 86_400_000;

export interface ReplaySetup extends TopicAndSubscription {
  readonly generation: number;
  /** How long the subscription retains unacknowledged messages; ms. @default 7 days, as the service's default */
  readonly retentionMs?: number | undefined;
  /** Whether to update existing resources that differ. @default false */
  readonly updateExisting?: boolean;
}

/**
 * Creates the replay topic and the replay subscription of a generation. Safe to repeat. They have no schema and no dead-letter
 * topic: a message that cannot be replayed is lost without harm, because its rows are stored.
 * @param options.topic the topic of published events, from which the names are made
 * @param options.subscription the subscription of generation 1, from which the names are made
 * @throws Error when the subscription belongs to another topic, or a permission is missing; errors of the Pub/Sub client
 */
export async function setUpReplay(pubsub: PubSub, options: ReplaySetup): Promise<SetupStep[]> {
  const { generation, retentionMs = DEFAULT_RETENTION_MS, updateExisting = false } = options;
  const { topic, subscription } = replayNames(options, generation);
  return [
    await setUpTopic(pubsub, topic, { updateExisting }),
    await setUpSubscription(pubsub, subscription, { topic, retentionMs, updateExisting }),
  ];
}

/**
 * Deletes the replay subscription and the replay topic of a generation, with all messages in them. Resources that do not exist
 * are no error.
 * @throws Error that names the missing permission; errors of the Pub/Sub client
 */
export async function removeReplay(pubsub: PubSub, { topic, subscription }: TopicAndSubscription): Promise<void> {
  await deleteUnlessMissing(() =>
    withPermission(needsOn(pubsub.projectId, `subscription ${subscription}`)("pubsub.subscriptions.delete"), () =>
      pubsub.subscription(subscription).delete(),
    ),
  );
  await deleteUnlessMissing(() =>
    withPermission(needsOn(pubsub.projectId, `topic ${topic}`)("pubsub.topics.delete"), () =>
      pubsub.topic(topic).delete(),
    ),
  );
}

async function deleteUnlessMissing(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
