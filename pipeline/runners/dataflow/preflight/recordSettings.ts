import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  GenerationSettingsError,
  readActiveGeneration,
  recordGeneration,
  requireGenerationSettings,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { withTimeout } from "@eventlogger/process/wait";
import { generationSettings } from "../../../generationSettings";
import { newShardHashSecret, STATE_FORMAT } from "../../../shards";
import { runCheck } from "./runCheck";

export interface LaunchSettings {
  readonly project: string;
  readonly dataset: string;
  /** ms. */
  readonly sessionGapMs: number;
  /** URL of a BigQuery emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Whether the job takes over the state of a running job, which belongs to the settings of the dataset. @default false */
  readonly update?: boolean | undefined;
  /** Time limit; ms. @default 10 s */
  readonly timeoutMs?: number;
}

/**
 * Records the settings in the dataset, unless it has some.
 * @returns those of the dataset
 * @throws GenerationSettingsError for the update of a job that recorded none, because its state has the first format
 */
async function recordedGeneration(options: LaunchSettings): Promise<Generation> {
  const { project, dataset, sessionGapMs, bigqueryEndpoint: endpoint, update } = options;
  const bigquery = bigQueryClient({ project, endpoint });
  if (update && !(await readActiveGeneration(bigquery, dataset))) {
    throw new GenerationSettingsError(dataset, [
      "the running job is of a release that recorded no settings, and this release cannot resume from its state",
    ]);
  }
  return recordGeneration(bigquery, dataset, generationSettings(sessionGapMs, newShardHashSecret()));
}

/**
 * The secret of the hash in the keys of state that belongs to the dataset.
 * Records the settings in a new dataset.
 * @throws Error when the dataset cannot be read, because with another secret a job would not find its state after an update, and
 *   when the state of the dataset's job has another format
 */
export async function recordedShardHashSecret(options: LaunchSettings): Promise<string | undefined> {
  const { dataset, timeoutMs = 30_000 } = options;
  const reading = `reading the settings of dataset ${dataset}`;
  try {
    const generation = await withTimeout(recordedGeneration(options), timeoutMs, reading);
    const { settings } = generation;
    requireGenerationSettings(dataset, generation, { ...settings, stateFormat: STATE_FORMAT });
    return settings.shardHashSecret;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Error ${reading}, on which the state of a job depends: ${reason}`, { cause: error });
  }
}

/**
 * Records the settings of the job in the dataset, or compares them with those that are recorded. Never throws: without the
 * permission to change the table there is a warning, because the permission to launch a job does not imply it.
 */
export function recordSettings(options: LaunchSettings): Promise<Diagnostics> {
  const { project, dataset, sessionGapMs, timeoutMs = 10_000 } = options;
  return runCheck(`the settings of dataset ${dataset}`, { project, timeoutMs }, async () => {
    try {
      const generation = await recordedGeneration(options);
      requireGenerationSettings(dataset, generation, generationSettings(sessionGapMs));
      return NO_DIAGNOSTICS;
    } catch (error) {
      if (error instanceof GenerationSettingsError) return problem(error.message);
      throw error;
    }
  });
}
