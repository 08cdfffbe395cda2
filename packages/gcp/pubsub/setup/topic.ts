import type { PubSub, TopicMetadata } from "@google-cloud/pubsub";
import { existing, type SetupStep } from "../../setup/setupStep";
import { needsOn, withPermission } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";
import { schemaPath } from "./schema";

export interface TopicOptions {
  /** Schema that messages must match; undefined: the topic accepts any message. */
  readonly schema?: string | undefined;
  /** Whether to update an existing topic that differs. */
  readonly updateExisting: boolean;
}

function schemaDifference(settings: TopicMetadata["schemaSettings"], wanted: string): string | undefined {
  if (!settings?.schema) return "no schema, accepts any message";
  if (settings.schema !== wanted) return `bound to ${settings.schema}`;
  if (settings.encoding !== "JSON") return `bound to the schema with encoding ${settings.encoding}`;
  if (settings.lastRevisionId) return `rejects revisions of the schema after ${settings.lastRevisionId}`;
  return undefined;
}

/**
 * Creates a topic. An existing topic is bound to the schema only with `updateExisting`: publishers of an earlier release,
 * and other publishers, would be rejected from then on.
 */
export async function setUpTopic(
  pubsub: PubSub,
  name: string,
  { schema, updateExisting }: TopicOptions,
): Promise<SetupStep> {
  const need = needsOn(pubsub.projectId, `topic ${name}`);
  const wanted = schema === undefined ? undefined : schemaPath(pubsub.projectId, schema);
  const schemaSettings = wanted === undefined ? {} : { schemaSettings: { schema: wanted, encoding: "JSON" as const } };
  const step = { kind: "topic", name } as const;
  const needed = wanted === undefined ? "pubsub.topics.create" : "pubsub.topics.create, or pubsub.schemas.attach,";
  const outcome = await createUnlessExists(need(needed), () => pubsub.createTopic({ name, ...schemaSettings }));
  if (outcome === "created") {
    return { ...step, outcome, ...(schema === undefined ? {} : { detail: `accepts messages of schema ${schema}` }) };
  }
  if (wanted === undefined) return existing(step);
  const topic = pubsub.topic(name);
  const [metadata] = await withPermission(need("pubsub.topics.get"), () => topic.getMetadata());
  const difference = schemaDifference(metadata.schemaSettings, wanted);
  if (difference === undefined) return existing(step);
  if (!updateExisting) return existing(step, { differences: [difference] });
  await withPermission(need("pubsub.topics.update, or pubsub.schemas.attach,"), () =>
    topic.setMetadata(schemaSettings),
  );
  return existing(step, { updated: [`bound to schema ${schema}`] });
}
