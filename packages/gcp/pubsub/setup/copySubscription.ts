import type { CreateSubscriptionOptions, PubSub } from "@google-cloud/pubsub";
import { UserError } from "@eventlogger/process/main";
import { isNotFound, undefinedIfNotFound } from "../../api/errorCode";
import { needsOn, withPermission } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";

/** The settings that a copy of a subscription gets. The others name a consumer, or are set by the service. */
const COPIED = [
  "ackDeadlineSeconds",
  "messageRetentionDuration",
  "retainAckedMessages",
  "enableMessageOrdering",
  "enableExactlyOnceDelivery",
  "expirationPolicy",
  "filter",
  "deadLetterPolicy",
  "retryPolicy",
  "labels",
] as const;

type Metadata = { readonly topic?: string | null } & { readonly [K in (typeof COPIED)[number]]?: unknown };

async function metadataOf(pubsub: PubSub, name: string): Promise<Metadata | undefined> {
  const need = needsOn(pubsub.projectId, `subscription ${name}`);
  return withPermission(need("pubsub.subscriptions.get"), () =>
    undefinedIfNotFound(async (): Promise<Metadata> => (await pubsub.subscription(name).getMetadata())[0]),
  );
}

/**
 * Creates a subscription of the same topic and with the same settings as another one. Safe to repeat.
 * @param name name of the new subscription, without the project
 * @param original name of the other one
 * @throws UserError when the other one does not exist, or the new one exists and belongs to another topic; Error that names the
 *   missing permission
 */
export async function copySubscription(pubsub: PubSub, name: string, original: string): Promise<"created" | "exists"> {
  const settings = await metadataOf(pubsub, original);
  const topic = settings?.topic;
  if (!settings || !topic || topic === "_deleted-topic_") {
    throw new UserError(
      `Subscription ${original} ${settings ? "has lost its topic" : "does not exist"}, so that ${name} cannot be created like it. ` +
        "Run `eventlogger setup` with the same options first",
    );
  }
  const copied = Object.fromEntries(
    COPIED.map((key) => [key, settings[key]] as const).filter(([, value]) => value !== undefined && value !== null),
  ) as CreateSubscriptionOptions;
  const need = needsOn(pubsub.projectId, `subscription ${name}`);
  const outcome = await createUnlessExists(
    need("pubsub.subscriptions.create, or pubsub.topics.attachSubscription,"),
    // Without an expiration policy of its own, the service deletes a subscription that nobody reads for a month.
    () => pubsub.topic(topic).createSubscription(name, { expirationPolicy: {}, ...copied }),
  );
  if (outcome === "exists") {
    const present = await metadataOf(pubsub, name);
    if (present?.topic !== topic) {
      throw new UserError(
        `Subscription ${name} exists and belongs to ${present?.topic}, not to ${topic}. Delete it first`,
      );
    }
  }
  return outcome;
}

/** Deletes a subscription with all its messages. One that does not exist is no error. @throws Error that names the missing permission */
export async function deleteSubscription(pubsub: PubSub, name: string): Promise<void> {
  const need = needsOn(pubsub.projectId, `subscription ${name}`);
  try {
    await withPermission(need("pubsub.subscriptions.delete"), () => pubsub.subscription(name).delete());
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
