import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  GenerationSettingsError,
  recordGeneration,
  requireGenerationSettings,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { withTimeout } from "@eventlogger/process/wait";
import { generationSettings } from "../../../generationSettings";
import { newShardHashSecret } from "../../../shards";
import { runCheck } from "./runCheck";

export interface LaunchSettings {
  readonly project: string;
  readonly dataset: string;
  /** ms. */
  readonly sessionGapMs: number;
  /** URL of a BigQuery emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Whether the job takes over the state of a running job, which can be of a release that recorded no settings. @default false */
  readonly update?: boolean | undefined;
  /** Time limit; ms. @default 10 s */
  readonly timeoutMs?: number;
}

/** Records the settings in the dataset, unless it has some. @returns those of the dataset */
async function recordedGeneration(options: LaunchSettings): Promise<Generation> {
  const { project, dataset, sessionGapMs, bigqueryEndpoint: endpoint, update } = options;
  // A job of a release that recorded no settings has no secret, and its state must be found again.
  const settings = generationSettings(sessionGapMs, update ? undefined : newShardHashSecret());
  return recordGeneration(bigQueryClient({ project, endpoint }), dataset, settings);
}

/**
 * The secret of the shard hash that belongs to the state of the dataset's job; undefined for a job of a release without one.
 * Records the settings in a new dataset.
 * @throws Error when the dataset cannot be read, because with another secret a job would not find its state after an update
 */
export async function recordedShardHashSecret(options: LaunchSettings): Promise<string | undefined> {
  const { dataset, timeoutMs = 30_000 } = options;
  const reading = `reading the settings of dataset ${dataset}`;
  try {
    return (await withTimeout(recordedGeneration(options), timeoutMs, reading)).settings.shardHashSecret;
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
    const generation = await recordedGeneration(options);
    try {
      requireGenerationSettings(dataset, generation, generationSettings(sessionGapMs));
      return NO_DIAGNOSTICS;
    } catch (error) {
      if (error instanceof GenerationSettingsError) return problem(error.message);
      throw error;
    }
  });
}
