import type { PubSub } from "@google-cloud/pubsub";
import { formatDuration } from "@eventlogger/options/options";
import { existing, type SetupStep } from "../../setup/setupStep";
import { needsOn, withPermission } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";

/**
 * Time until an unacknowledged message is redelivered to a consumer that states no deadline; s. The pipeline states its own:
 * `--ack-deadline` of `run` with each pull, and Dataflow by itself.
 */
const ACK_DEADLINE_SECONDS = 10;

/**
 * Pauses before redelivery. Every delivery counts towards the dead-letter topic, even if it ended because the pipeline
 * was stopped, was killed, or could not write for hours, although nothing is wrong with the message. With pauses of up to
 * ten minutes, a hundred deliveries take 15 hours of continuous failure. Without them, a pipeline that crashes every ten
 * seconds would dead-letter everything in flight within a quarter of an hour.
 */
const RETRY_POLICY = { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 600 } };

export interface SubscriptionOptions {
  readonly topic: string;
  /** How long an unacknowledged message is retained; ms. */
  readonly retentionMs: number;
  /** Dead-letter topic; undefined: a message is redelivered until its retention ends. */
  readonly deadLetters?: { readonly topic: string; readonly maxDeliveryAttempts: number } | undefined;
  /** Whether to update an existing subscription that differs. */
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

/** The client returns seconds as a number, a string or an object, depending on their size. */
const seconds = (duration: Duration | undefined): number => Number(duration?.seconds ?? 0);

type Duration = { readonly seconds?: unknown } | null;

/** Metadata of an existing subscription. */
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
    differences.push(`retains messages for only ${formatDuration(retention * 1000)}`);
  }
  const { deadLetterPolicy: policy, retryPolicy } = present;
  if (!wanted.deadLetterPolicy) return differences;
  if (!policy?.deadLetterTopic) {
    differences.push("no dead-letter topic");
  } else if (policy.deadLetterTopic !== wanted.deadLetterPolicy.deadLetterTopic) {
    differences.push(`sends dead letters to ${policy.deadLetterTopic}`);
  } else if (policy.maxDeliveryAttempts !== wanted.deadLetterPolicy.maxDeliveryAttempts) {
    differences.push(`sends dead letters after ${policy.maxDeliveryAttempts} deliveries`);
  }
  const longest = seconds(retryPolicy?.maximumBackoff);
  if (longest < seconds(wanted.retryPolicy?.maximumBackoff)) {
    differences.push(`retries deliveries after at most ${longest} s`);
  }
  return differences;
}

/**
 * Creates a subscription.
 * @throws Error when it exists and belongs to another topic
 */
export async function setUpSubscription(
  pubsub: PubSub,
  name: string,
  options: SubscriptionOptions,
): Promise<SetupStep> {
  const need = needsOn(pubsub.projectId, `subscription ${name}`);
  const subscription = pubsub.topic(options.topic).subscription(name);
  const settings = settingsOf(pubsub, options);
  const step = { kind: "subscription", name } as const;
  const needed = "pubsub.subscriptions.create, or pubsub.topics.attachSubscription,";
  const outcome = await createUnlessExists(need(needed), () =>
    subscription.create({
      ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
      expirationPolicy: {}, // never: the subscription must outlive a pipeline that is stopped for a month
      enableMessageOrdering: false, // the rollups do not depend on order, and ordering costs throughput
      ...settings,
    }),
  );
  const { deadLetters } = options;
  if (outcome === "created") {
    const detail = deadLetters && `dead letters to ${deadLetters.topic} after ${deadLetters.maxDeliveryAttempts}`;
    return { ...step, outcome, ...(detail && { detail: `${detail} deliveries` }) };
  }
  const [metadata] = await withPermission(need("pubsub.subscriptions.get"), () => subscription.getMetadata());
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
  await withPermission(need("pubsub.subscriptions.update"), () => subscription.setMetadata(settings));
  return existing(step, { updated: differences.map((difference) => `was: ${difference}`) });
}
