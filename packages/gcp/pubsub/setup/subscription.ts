import type { PubSub } from "@google-cloud/pubsub";
import { formatDuration } from "@eventlogger/options/options";
import { existing, type SetupStep } from "../../setup/setupStep";
import { allowed, create } from "./create";

/** Time until a message that is not acknowledged is delivered again, unless the deadline is moved. */
const ACK_DEADLINE_SECONDS = 10;

/**
 * Pauses before a message is delivered again. Each delivery counts towards the dead-letter topic, also one that ended
 * because a pipeline was stopped, killed, or could not write for hours, and then the message is as good as any. With
 * pauses that grow to ten minutes, a hundred deliveries take 15 hours of failing without a break; without them, a
 * pipeline that dies every ten seconds would throw out everything it had taken within a quarter of an hour.
 */
const RETRY_POLICY = { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 600 } };

export interface SubscriptionOptions {
  readonly topic: string;
  /** How long a message that is not acknowledged is kept; ms. */
  readonly retentionMs: number;
  /** Where a message goes that was delivered too often; undefined: it is delivered for as long as it is kept. */
  readonly deadLetters?: { readonly topic: string; readonly maxDeliveryAttempts: number } | undefined;
  /** Changes a subscription that is there and differs. */
  readonly updateExisting: boolean;
}

const topicPath = (pubsub: PubSub, topic: string): string => `projects/${pubsub.projectId}/topics/${topic}`;

interface Settings {
  readonly messageRetentionDuration: { readonly seconds: number };
  readonly deadLetterPolicy?: { readonly deadLetterTopic: string; readonly maxDeliveryAttempts: number };
  readonly retryPolicy?: typeof RETRY_POLICY;
}

function settingsOf(pubsub: PubSub, { retentionMs, deadLetters }: SubscriptionOptions): Settings {
  return {
    messageRetentionDuration: { seconds: Math.round(retentionMs / 1000) },
    ...(deadLetters && {
      deadLetterPolicy: {
        deadLetterTopic: topicPath(pubsub, deadLetters.topic),
        maxDeliveryAttempts: deadLetters.maxDeliveryAttempts,
      },
      retryPolicy: RETRY_POLICY,
    }),
  };
}

/** The client gives seconds as a number, a text or an object, depending on their size. */
const seconds = (duration: Duration | undefined): number => Number(duration?.seconds ?? 0);

type Duration = { readonly seconds?: unknown } | null;

/** What the service says of a subscription that is there. */
interface Present {
  readonly messageRetentionDuration?: Duration;
  readonly deadLetterPolicy?: {
    readonly deadLetterTopic?: string | null;
    readonly maxDeliveryAttempts?: number | null;
  } | null;
  readonly retryPolicy?: { readonly maximumBackoff?: Duration } | null;
}

function differencesOf(present: Present, wanted: Settings): string[] {
  const differences: string[] = [];
  const retention = seconds(present.messageRetentionDuration);
  if (retention < seconds(wanted.messageRetentionDuration)) {
    differences.push(`messages are kept for ${formatDuration(retention * 1000)} only`);
  }
  const { deadLetterPolicy: policy, retryPolicy } = present;
  if (!wanted.deadLetterPolicy) return differences;
  if (!policy?.deadLetterTopic) {
    differences.push("no dead-letter topic");
  } else if (policy.deadLetterTopic !== wanted.deadLetterPolicy.deadLetterTopic) {
    differences.push(`dead letters go to ${policy.deadLetterTopic}`);
  } else if (policy.maxDeliveryAttempts !== wanted.deadLetterPolicy.maxDeliveryAttempts) {
    differences.push(`dead letters after ${policy.maxDeliveryAttempts} deliveries`);
  }
  const longest = seconds(retryPolicy?.maximumBackoff);
  if (longest < seconds(wanted.retryPolicy?.maximumBackoff)) {
    differences.push(`pauses before another delivery of at most ${longest} s`);
  }
  return differences;
}

/**
 * Makes a subscription.
 * @throws Error when it exists and belongs to another topic
 */
export async function setUpSubscription(
  pubsub: PubSub,
  name: string,
  options: SubscriptionOptions,
): Promise<SetupStep> {
  const resource = `subscription ${name}`;
  const subscription = pubsub.topic(options.topic).subscription(name);
  const settings = settingsOf(pubsub, options);
  const step = { kind: "subscription", name } as const;
  const needed = "pubsub.subscriptions.create, or pubsub.topics.attachSubscription,";
  const outcome = await create(pubsub, needed, resource, () =>
    subscription.create({
      ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
      expirationPolicy: {}, // never: a pipeline that stood still for a month must find its subscription again
      enableMessageOrdering: false, // the numbers do not depend on order, and order costs throughput
      ...settings,
    }),
  );
  const { deadLetters } = options;
  if (outcome === "created") {
    const detail = deadLetters && `dead letters to ${deadLetters.topic} after ${deadLetters.maxDeliveryAttempts}`;
    return { ...step, outcome, ...(detail && { detail: `${detail} deliveries` }) };
  }
  const [metadata] = await allowed(pubsub, "pubsub.subscriptions.get", resource, () => subscription.getMetadata());
  const path = topicPath(pubsub, options.topic);
  if (metadata.topic !== path) {
    throw new Error(
      `Subscription ${name} exists and belongs to ${metadata.topic}, not to ${path}. ` +
        `Choose another subscription (--subscription), or delete it`,
    );
  }
  const differences = differencesOf(metadata, settings);
  if (!differences.length) return existing(step);
  if (!options.updateExisting) return existing(step, { differences });
  await allowed(pubsub, "pubsub.subscriptions.update", resource, () => subscription.setMetadata(settings));
  return existing(step, { updated: differences.map((difference) => `was: ${difference}`) });
}
