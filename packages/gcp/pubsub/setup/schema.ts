import type { PubSub } from "@google-cloud/pubsub";
import { eventAvroDefinition, eventAvroSchema } from "@eventlogger/events/avroSchema";
import { existing, type SetupStep } from "../../setup/setupStep";
import { needsOn, withPermission } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";

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
 * Creates the Avro schema of an event, or commits it as a new revision of the existing schema. A topic that is bound to
 * the schema accepts messages of every revision, so that replicas of two releases can publish side by side. If any
 * revision has this definition already, nothing is committed: an earlier release does not undo a later one.
 * @throws Error when a schema of this name exists for something else
 */
export async function setUpSchema(pubsub: PubSub, id: string): Promise<SetupStep> {
  const client = await pubsub.getSchemaClient();
  const parent = `projects/${pubsub.projectId}`;
  const name = schemaPath(pubsub.projectId, id);
  const schema = { name, type: "AVRO", definition: eventAvroDefinition } as const;
  const need = needsOn(pubsub.projectId, `schema ${id}`);
  const step = { kind: "schema", name: id } as const;
  const outcome = await createUnlessExists(need("pubsub.schemas.create"), () =>
    client.createSchema({ parent, schemaId: id, schema }),
  );
  if (outcome === "created") return { ...step, outcome };
  const [revisions] = await withPermission(need("pubsub.schemas.listRevisions"), () =>
    client.listSchemaRevisions({ name, view: "FULL" }),
  );
  const definitions = revisions.map((revision) => parsed(revision.definition));
  if (definitions.some((definition) => JSON.stringify(definition) === eventAvroDefinition)) return existing(step);
  if (!definitions.some((d) => d?.name === eventAvroSchema.name && d.namespace === eventAvroSchema.namespace)) {
    throw new Error(
      `Schema ${id} exists and is not a schema of events. Choose another name (--schema), or no schema (--schema none)`,
    );
  }
  const [revision] = await withPermission(need("pubsub.schemas.commit"), () => client.commitSchema({ name, schema }));
  return existing(step, { updated: [`new revision ${revision.revisionId}`] });
}
