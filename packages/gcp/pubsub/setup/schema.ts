import type { PubSub } from "@google-cloud/pubsub";
import { eventAvroDefinition, eventAvroSchema } from "@eventlogger/events/avroSchema";
import { existing, type SetupStep } from "../../setup/setupStep";
import { allowed, create } from "./create";

/** The full name of a schema. */
export function schemaPath(project: string, schema: string): string {
  return `projects/${project}/schemas/${schema}`;
}

function parsed(definition: string | null | undefined): { name?: unknown; namespace?: unknown } | undefined {
  try {
    return JSON.parse(definition ?? "") as { name?: unknown };
  } catch {
    return undefined;
  }
}

/**
 * Makes the Avro schema of an event, or commits it as a new revision of the one that is there. A topic that is bound to
 * it takes messages of every revision, so replicas of two releases publish side by side; and where the definition is
 * that of any revision, there is nothing to do: an earlier release does not take back what a later one has added.
 * @throws Error when there is a schema of this name for something else
 */
export async function setUpSchema(pubsub: PubSub, id: string): Promise<SetupStep> {
  const client = await pubsub.getSchemaClient();
  const parent = `projects/${pubsub.projectId}`;
  const name = schemaPath(pubsub.projectId, id);
  const schema = { name, type: "AVRO", definition: eventAvroDefinition } as const;
  const resource = `schema ${id}`;
  const step = { kind: "schema", name: id } as const;
  const outcome = await create(pubsub, "pubsub.schemas.create", resource, () =>
    client.createSchema({ parent, schemaId: id, schema }),
  );
  if (outcome === "created") return { ...step, outcome };
  const [revisions] = await allowed(pubsub, "pubsub.schemas.listRevisions", resource, () =>
    client.listSchemaRevisions({ name, view: "FULL" }),
  );
  const definitions = revisions.map((revision) => parsed(revision.definition));
  if (definitions.some((definition) => JSON.stringify(definition) === eventAvroDefinition)) return existing(step);
  if (!definitions.some((d) => d?.name === eventAvroSchema.name && d.namespace === eventAvroSchema.namespace)) {
    throw new Error(
      `Schema ${id} exists and is not one of events. Choose another name (--schema), or do without (--schema none)`,
    );
  }
  const [revision] = await allowed(pubsub, "pubsub.schemas.commit", resource, () =>
    client.commitSchema({ name, schema }),
  );
  return existing(step, { updated: [`new revision ${revision.revisionId}`] });
}
