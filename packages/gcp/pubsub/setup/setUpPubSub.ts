import type { PubSub } from "@google-cloud/pubsub";
import type { SetupStep } from "../../setup/setupStep";
import { FIRST_GENERATION } from "../../bigquery/generations/generation";
import { setUpSchema } from "./schema";
import { DEFAULT_RETENTION_MS, setUpReplay } from "./setUpReplay";
import { setUpSubscription } from "./subscription";
import { setUpTopic } from "./topic";

export interface PubSubSetup {
  readonly topic: string;
  /** The subscription of generation 1, from which the names of later ones are made. */
  readonly subscription: string;
  /** The generation whose resources are created, and the subscription that it reads. @default generation 1 */
  readonly active?: { readonly generation: number; readonly subscription: string } | undefined;
  /** Schema that the topic enforces; undefined: none. */
  readonly schema?: string | undefined;
  /** Dead-letter topic, which gets a subscription of the same name; undefined: none. */
  readonly deadLetterTopic?: string | undefined;
  /** Deliveries after which a message goes to the dead-letter topic, 5 to 100. @default 100 */
  readonly maxDeliveryAttempts?: number;
  /** How long the subscriptions retain unacknowledged messages; ms. @default 7 days, as the service's default */
  readonly retentionMs?: number;
  /** Whether to update existing resources that differ. @default false */
  readonly updateExisting?: boolean;
}

/**
 * Creates the schema, the topic, the dead-letter topic with its subscription, the subscription that the pipeline
 * reads, and the replay topic and subscription of the active generation. Safe to repeat.
 * @throws Error when the subscription or the schema exists and belongs to something else, or a permission is missing;
 *   errors of the Pub/Sub client
 */
export async function setUpPubSub(pubsub: PubSub, options: PubSubSetup): Promise<SetupStep[]> {
  const { topic, schema, deadLetterTopic, maxDeliveryAttempts = 100, updateExisting = false } = options;
  const { retentionMs = DEFAULT_RETENTION_MS } = options;
  const { active = { generation: FIRST_GENERATION, subscription: options.subscription } } = options;
  const steps: SetupStep[] = [];
  if (schema !== undefined) steps.push(await setUpSchema(pubsub, schema));
  steps.push(await setUpTopic(pubsub, topic, { schema, updateExisting }));
  if (deadLetterTopic !== undefined) {
    steps.push(await setUpTopic(pubsub, deadLetterTopic, { updateExisting }));
    // Messages of a topic without a subscription are lost.
    const kept = { topic: deadLetterTopic, retentionMs, updateExisting };
    steps.push(await setUpSubscription(pubsub, deadLetterTopic, kept));
  }
  const deadLetters = deadLetterTopic === undefined ? undefined : { topic: deadLetterTopic, maxDeliveryAttempts };
  steps.push(await setUpSubscription(pubsub, active.subscription, { topic, retentionMs, deadLetters, updateExisting }));
  steps.push(...(await setUpReplay(pubsub, { ...options, generation: active.generation })));
  return steps;
}

/**
 * The grants that Pub/Sub's service agent needs for dead letters. Without them it forwards no message and does not even
 * count deliveries.
 */
export function serviceAgentNote(project: string, { deadLetterTopic, subscription }: PubSubSetup): string | undefined {
  if (deadLetterTopic === undefined) return undefined;
  const agent = "service-PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com";
  return (
    `Dead letters need two grants to Pub/Sub's service agent ${agent} ` +
    `(get the project number with: gcloud projects describe ${project}):\n` +
    `  gcloud pubsub topics add-iam-policy-binding ${deadLetterTopic} --project=${project} ` +
    `--member=serviceAccount:${agent} --role=roles/pubsub.publisher\n` +
    `  gcloud pubsub subscriptions add-iam-policy-binding ${subscription} --project=${project} ` +
    `--member=serviceAccount:${agent} --role=roles/pubsub.subscriber`
  );
}
