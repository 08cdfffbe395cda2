import type { PubSub, TopicMetadata } from "@google-cloud/pubsub";
import { existing, type SetupStep } from "../../setup/setupStep";
import { allowed, create } from "./create";
import { schemaPath } from "./schema";

export interface TopicOptions {
  /** Schema that messages must match; undefined: any message. */
  readonly schema?: string | undefined;
  /** Changes a topic that is there and differs. */
  readonly updateExisting: boolean;
}

function schemaDifference(settings: TopicMetadata["schemaSettings"], wanted: string): string | undefined {
  if (!settings?.schema) return "no schema, any message is taken";
  if (settings.schema !== wanted) return `bound to ${settings.schema}`;
  if (settings.encoding !== "JSON") return `bound to the schema with encoding ${settings.encoding}`;
  if (settings.lastRevisionId) return `revisions of the schema after ${settings.lastRevisionId} are refused`;
  return undefined;
}

/**
 * Makes a topic. One that is there is bound to the schema only when asked to: publishers of an earlier release, and
 * others, would be refused from then on.
 */
export async function setUpTopic(
  pubsub: PubSub,
  name: string,
  { schema, updateExisting }: TopicOptions,
): Promise<SetupStep> {
  const resource = `topic ${name}`;
  const wanted = schema === undefined ? undefined : schemaPath(pubsub.projectId, schema);
  const schemaSettings = wanted === undefined ? {} : { schemaSettings: { schema: wanted, encoding: "JSON" as const } };
  const step = { kind: "topic", name } as const;
  const needed = wanted === undefined ? "pubsub.topics.create" : "pubsub.topics.create, or pubsub.schemas.attach,";
  const outcome = await create(pubsub, needed, resource, () => pubsub.createTopic({ name, ...schemaSettings }));
  if (outcome === "created") {
    return { ...step, outcome, ...(schema === undefined ? {} : { detail: `takes messages of schema ${schema}` }) };
  }
  if (wanted === undefined) return existing(step);
  const topic = pubsub.topic(name);
  const [metadata] = await allowed(pubsub, "pubsub.topics.get", resource, () => topic.getMetadata());
  const difference = schemaDifference(metadata.schemaSettings, wanted);
  if (difference === undefined) return existing(step);
  if (!updateExisting) return existing(step, { differences: [difference] });
  await allowed(pubsub, "pubsub.topics.update, or pubsub.schemas.attach,", resource, () =>
    topic.setMetadata(schemaSettings),
  );
  return existing(step, { updated: [`bound to schema ${schema}`] });
}
