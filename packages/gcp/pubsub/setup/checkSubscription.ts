import type { PubSub } from "@google-cloud/pubsub";
import type { Findings } from "../../diagnostics";
import { withPermission } from "../../api/permission";

const NOT_FOUND = 5; // gRPC

/** Of a subscription, where the client's types are looser than the service. */
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
 * Whether a pipeline can read a subscription.
 * @param name its name, or its path `projects/…/subscriptions/…`
 * @throws Error that names the missing permission, errors of the client: then nothing is known
 */
export async function checkSubscription(pubsub: PubSub, name: string): Promise<Findings> {
  const { projectId: project } = pubsub;
  const setup = "Run `eventlogger setup` with the same options first";
  const path = /^projects\/([^/]+)\/subscriptions\/([^/]+)$/.exec(name);
  if (path && path[1] !== project) {
    const problem =
      `Subscription ${path[2]} is in project ${path[1]}, but the pipeline runs in project ${project} (--project). ` +
      `Make a subscription in ${project}: it may be one of a topic of ${path[1]}`;
    return { problems: [problem], warnings: [] };
  }
  const id = path?.[2] ?? name;
  const metadata = await withPermission(
    { project, permission: "pubsub.subscriptions.get", resource: `subscription ${id}` },
    async (): Promise<Metadata | undefined> => {
      try {
        return (await pubsub.subscription(id).getMetadata())[0];
      } catch (error) {
        if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
        throw error;
      }
    },
  );
  if (!metadata) {
    const problem = `There is no subscription ${id} in project ${project}. ${setup}, or is it in another project?`;
    return { problems: [problem], warnings: [] };
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  if (metadata.topic === "_deleted-topic_") {
    problems.push(
      `The topic of subscription ${id} has been deleted: no event will ever come. Delete the subscription, then ${setup.toLowerCase()}`,
    );
  }
  if (metadata.detached) problems.push(`Subscription ${id} has been detached from its topic: make another one`);
  const consumer = consumerOf(metadata);
  if (consumer) problems.push(`Subscription ${id} ${consumer}, so the pipeline cannot pull from it: make another one`);
  if (metadata.filter) warnings.push(`Subscription ${id} has the filter ${metadata.filter}: other events never come`);
  if (metadata.enableExactlyOnceDelivery) {
    warnings.push(
      `Subscription ${id} has exactly-once delivery, which costs throughput: repetitions change nothing here`,
    );
  }
  const attempts = metadata.deadLetterPolicy?.maxDeliveryAttempts ?? 100;
  if (attempts < 100) {
    warnings.push(
      `Subscription ${id} gives a message up after ${attempts} deliveries; those of a pipeline that is stopped or ` +
        "cannot write count, too. 100 is safer (`eventlogger setup --update-existing`)",
    );
  }
  return { problems, warnings };
}
