import type { BigQuery } from "@google-cloud/bigquery";
import type { GenerationJob, GenerationResources, GenerationSettings } from "./generation";
import { changeGenerations, generationsReference } from "./statements";

async function setColumns(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  values: Readonly<Record<string, string | null>>,
): Promise<void> {
  const entries = Object.entries(values);
  const assignments = entries.map(([column, value]) => `${column} = ${value === null ? "NULL" : `@${column}`}`);
  const params = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
  const changed = await changeGenerations(
    bigquery,
    dataset,
    `UPDATE ${generationsReference(bigquery, dataset)} SET ${assignments.join(", ")}
     WHERE generation = @generation AND status IN ('building', 'active', 'retired')`,
    { ...params, generation },
  );
  if (changed === 0) throw new Error(`Dataset ${dataset} has no generation ${generation}`);
}

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/**
 * Records the progress of the rebuild that computes a generation; null when it has ended.
 * @param rebuild any JSON value
 * @throws Error when the generation does not exist; Error that names the missing permission, or the client's error
 */
export function recordRebuild(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  rebuild: unknown,
): Promise<void> {
  return setColumns(bigquery, dataset, generation, { rebuild: json(rebuild) });
}

/** Records what computes a generation; null when nothing does. @throws as {@link recordRebuild} */
export function recordJob(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  job: GenerationJob | null,
): Promise<void> {
  return setColumns(bigquery, dataset, generation, { job: json(job) });
}

/** Records names of resources of a generation; null for one that was deleted. @throws as {@link recordRebuild} */
export function recordResources(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  { subscription, replayTopic, replaySubscription }: Partial<GenerationResources>,
): Promise<void> {
  return setColumns(bigquery, dataset, generation, {
    ...(subscription !== undefined && { subscription }),
    ...(replayTopic !== undefined && { replay_topic: replayTopic }),
    ...(replaySubscription !== undefined && { replay_subscription: replaySubscription }),
  });
}

/** Replaces the settings of a generation. Only for a run that starts with empty state and holds the lease. */
export function replaceGenerationSettings(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  settings: GenerationSettings,
): Promise<void> {
  return setColumns(bigquery, dataset, generation, { settings: JSON.stringify(settings) });
}
