import type { PubSub } from "@google-cloud/pubsub";
import { problem, type Diagnostics } from "../../diagnostics";
import { undefinedIfNotFound } from "../../api/errorCode";
import { withPermission } from "../../api/permission";

/** Metadata of a subscription. The client's own types are too loose. */
interface Metadata {
  readonly topic?: string | null;
  readonly detached?: boolean | null;
  readonly filter?: string | null;
  readonly enableExactlyOnceDelivery?: boolean | null;
  readonly deadLetterPolicy?: { readonly maxDeliveryAttempts?: number | null } | null;
  readonly pushConfig?: { readonly pushEndpoint?: string | null } | null;
  readonly bigqueryConfig?: { readonly table?: string | null } | null;
  readonly cloudStorageConfig?: { readonly bucket?: string | null } | null;
}

function consumerOf(metadata: Metadata): string | undefined {
  if (metadata.pushConfig?.pushEndpoint) return `pushes to ${metadata.pushConfig.pushEndpoint}`;
  if (metadata.bigqueryConfig?.table) return `writes to the table ${metadata.bigqueryConfig.table}`;
  if (metadata.cloudStorageConfig?.bucket) return `writes to the bucket ${metadata.cloudStorageConfig.bucket}`;
  return undefined;
}

/**
 * Checks that a pipeline can read a subscription.
 * @param name name, or path `projects/…/subscriptions/…`
 * @throws Error that names the missing permission, or the client's error: then the check has no result
 */
export async function checkSubscription(pubsub: PubSub, name: string): Promise<Diagnostics> {
  const { projectId: project } = pubsub;
  const setup = "Run `eventlogger setup` with the same options first";
  const path = /^projects\/([^/]+)\/subscriptions\/([^/]+)$/.exec(name);
  if (path && path[1] !== project) {
    return problem(
      `Subscription ${path[2]} is in project ${path[1]}, but the pipeline runs in project ${project} (--project). ` +
        `Create a subscription in ${project}; its topic may be in ${path[1]}`,
    );
  }
  const id = path?.[2] ?? name;
  const metadata = await withPermission(
    { project, permission: "pubsub.subscriptions.get", resource: `subscription ${id}` },
    () => undefinedIfNotFound(async (): Promise<Metadata> => (await pubsub.subscription(id).getMetadata())[0]),
  );
  if (!metadata) {
    return problem(`Subscription ${id} does not exist in project ${project}. ${setup}, or correct --project`);
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  if (metadata.topic === "_deleted-topic_") {
    problems.push(
      `The topic of subscription ${id} was deleted, so that no event will arrive. Delete the subscription, then ` +
        "run `eventlogger setup` with the same options",
    );
  }
  if (metadata.detached) problems.push(`Subscription ${id} is detached from its topic. Create another subscription`);
  const consumer = consumerOf(metadata);
  if (consumer)
    problems.push(
      `Subscription ${id} ${consumer}, so that the pipeline cannot pull from it. Create another subscription`,
    );
  if (metadata.filter)
    warnings.push(`Subscription ${id} has the filter ${metadata.filter}. Other events do not reach the pipeline`);
  if (metadata.enableExactlyOnceDelivery) {
    warnings.push(
      `Subscription ${id} has exactly-once delivery, which costs throughput. The pipeline does not need it`,
    );
  }
  const attempts = metadata.deadLetterPolicy?.maxDeliveryAttempts ?? 100;
  if (attempts < 100) {
    warnings.push(
      `Subscription ${id} dead-letters a message after ${attempts} deliveries. Deliveries to a pipeline that stops or ` +
        "cannot write also count. 100 is safer (`eventlogger setup --update-existing`)",
    );
  }
  return { problems, warnings };
}
