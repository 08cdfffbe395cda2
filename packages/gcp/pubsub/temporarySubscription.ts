import type { PubSub } from "@google-cloud/pubsub";
import { UserError } from "@eventlogger/process/main";
import { isNotFound } from "../api/errorCode";
import { needsOn, withPermission } from "../api/permission";

/** The shortest time after which Pub/Sub deletes a subscription that nobody reads; s. */
const EXPIRES_AFTER_SECONDS = 86_400;
/** The shortest retention of messages that Pub/Sub allows; s. */
const RETENTION_SECONDS = 600;

/**
 * Creates a subscription that gets the messages of a topic from now on. It takes none from other subscriptions. Pub/Sub deletes
 * it a day after its last reader, should nobody else.
 * @param name a name that no other subscription has
 * @throws UserError when the topic does not exist; Error that names the missing permission, or the client's error
 */
export async function createTemporarySubscription(pubsub: PubSub, topic: string, name: string): Promise<void> {
  const need = needsOn(pubsub.projectId, `topic ${topic}`);
  try {
    await withPermission(need("pubsub.topics.attachSubscription, or pubsub.subscriptions.create,"), () =>
      pubsub.topic(topic).createSubscription(name, {
        expirationPolicy: { ttl: { seconds: EXPIRES_AFTER_SECONDS } },
        messageRetentionDuration: { seconds: RETENTION_SECONDS },
        labels: { eventlogger: "tail" },
      }),
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new UserError(
      `Topic ${topic} does not exist in project ${pubsub.projectId}. Correct --topic (TOPIC) or --project, or run ` +
        "`eventlogger setup` with the same options first",
    );
  }
}
