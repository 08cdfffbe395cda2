import { randomUUID } from "node:crypto";
import type { BigQuery } from "@google-cloud/bigquery";
import { generationsTable } from "../tables";
import {
  FIRST_GENERATION,
  type Generation,
  type GenerationResources,
  type GenerationSettings,
  type GenerationStatus,
} from "./generation";
import { readActiveGeneration, readGeneration, readGenerations } from "./readGenerations";
import { changeGenerations, generationsReference } from "./statements";

/** A generation cannot be created, because another one is being built. Wait for its end, or abort it. */
export class GenerationExistsError extends Error {
  constructor(
    dataset: string,
    /** The generation that is being built. */
    readonly generation: number,
  ) {
    super(
      `Generation ${generation} of dataset ${dataset} is being built, or is kept for a comparison. ` +
        "Only one generation beside the active one can exist",
    );
    this.name = "GenerationExistsError";
  }
}

export interface NewGeneration {
  readonly settings: GenerationSettings;
  /** The names of its resources, which depend on its id. @default unknown */
  readonly resources?: ((generation: number) => GenerationResources) | undefined;
  /** First progress of the rebuild; any JSON value. @default null */
  readonly rebuild?: unknown;
}

/** The status of a row that no reader sees, because no generation has it. */
const RESERVED = "reserved";

const NO_RESOURCES: GenerationResources = { subscription: null, replayTopic: null, replaySubscription: null };

/**
 * Creates the next generation, with the status `building`. Of several callers at the same time, one succeeds.
 * @throws GenerationExistsError; Error when the dataset has no active generation; Error that names the missing permission, or
 *   the client's error
 */
export async function createGeneration(
  bigquery: BigQuery,
  dataset: string,
  wanted: NewGeneration,
): Promise<Generation> {
  const known = await readGenerations(bigquery, dataset);
  const building = known.find(({ status }) => status === "building");
  if (building) throw new GenerationExistsError(dataset, building.generation);
  if (!known.some(({ status }) => status === "active")) {
    throw new Error(`Dataset ${dataset} has no active generation. The first start of the pipeline creates it`);
  }
  const id = Math.max(...known.map(({ generation }) => generation)) + 1;
  if (!(await claimId(bigquery, dataset, { id, status: "building", ...wanted }))) {
    const other = (await readGenerations(bigquery, dataset)).find(({ status }) => status === "building");
    throw new GenerationExistsError(dataset, other?.generation ?? id);
  }
  return created(bigquery, dataset, id);
}

/**
 * Creates the first generation, with the status `active`, unless the dataset has an active generation.
 * @returns the active generation, which can have other settings
 * @throws Error that names the missing permission, or the client's error
 */
export async function recordGeneration(
  bigquery: BigQuery,
  dataset: string,
  settings: GenerationSettings,
  resources: GenerationResources = NO_RESOURCES,
): Promise<Generation> {
  const known = await readActiveGeneration(bigquery, dataset);
  if (known) return known;
  const id = FIRST_GENERATION;
  await claimId(bigquery, dataset, { id, status: "active", settings, resources: () => resources });
  const active = await readActiveGeneration(bigquery, dataset);
  if (!active) throw new Error(`Table ${dataset}.${generationsTable.name} has no active row after it was inserted`);
  return active;
}

async function created(bigquery: BigQuery, dataset: string, id: number): Promise<Generation> {
  const generation = await readGeneration(bigquery, dataset, id);
  if (!generation) throw new Error(`Generation ${id} of dataset ${dataset} was removed right after it was created`);
  return generation;
}

/**
 * Creates a row with an id, unless the id is used or another generation has the status.
 *
 * In two statements, because INSERT statements of BigQuery never conflict: two of them can both find no such row. The first
 * one inserts a reserved row. The second one gives it its status, and writes the active row, too: of several UPDATE statements
 * that write a row, BigQuery runs one after the other, and the later ones see what the first one has done
 * (https://cloud.google.com/bigquery/docs/data-manipulation-language#dml-statement-conflicts).
 * @returns whether this caller has created it
 */
async function claimId(
  bigquery: BigQuery,
  dataset: string,
  {
    id,
    status,
    settings,
    resources = () => NO_RESOURCES,
    rebuild = null,
  }: NewGeneration & { id: number; status: GenerationStatus },
): Promise<boolean> {
  const table = generationsReference(bigquery, dataset);
  const claim = randomUUID();
  const { subscription, replayTopic, replaySubscription } = resources(id);
  const text = {
    subscription,
    replay_topic: replayTopic,
    replay_subscription: replaySubscription,
    rebuild: rebuild === null ? null : JSON.stringify(rebuild),
  };
  const given = Object.entries(text).filter((entry): entry is [string, string] => entry[1] !== null);
  const columns = given.map(([column]) => `, ${column}`).join("");
  const values = given.map(([column]) => `, @${column}`).join("");
  await changeGenerations(
    bigquery,
    dataset,
    `INSERT INTO ${table} (generation, status, settings, created_at, claim${columns})
     VALUES (@id, '${RESERVED}', @settings, CURRENT_TIMESTAMP(), @claim${values})`,
    { id, settings: JSON.stringify(settings), claim, ...Object.fromEntries(given) },
  );
  const changed = await changeGenerations(
    bigquery,
    dataset,
    `UPDATE ${table} SET status = IF(status = '${RESERVED}', '${status}', status)${
      status === "active" ? ", activated_at = created_at" : ""
    }
     WHERE (claim = @claim OR status = 'active') AND NOT EXISTS (
       SELECT 1 FROM ${table} WHERE status = '${status}' OR (generation = @id AND status != '${RESERVED}')
     )`,
    { id, claim },
  );
  if (changed === 0) {
    await changeGenerations(bigquery, dataset, `DELETE FROM ${table} WHERE claim = @claim AND status = '${RESERVED}'`, {
      claim,
    });
  }
  return changed > 0;
}
