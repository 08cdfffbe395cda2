import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  GenerationSettingsError,
  recordGeneration,
  requireGenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { generationSettings } from "../../../generationSettings";
import { runCheck } from "./runCheck";

export interface LaunchSettings {
  readonly project: string;
  readonly dataset: string;
  /** ms. */
  readonly sessionGapMs: number;
  /** URL of a BigQuery emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Time limit; ms. @default 10 s */
  readonly timeoutMs?: number;
}

/**
 * Records the settings of the job in the dataset, or compares them with those that are recorded. Never throws: without the
 * permission to change the table there is a warning, because the permission to launch a job does not imply it.
 */
export function recordSettings(options: LaunchSettings): Promise<Diagnostics> {
  const { project, dataset, sessionGapMs, bigqueryEndpoint: endpoint, timeoutMs = 10_000 } = options;
  return runCheck(`the settings of dataset ${dataset}`, { project, timeoutMs }, async () => {
    const settings = generationSettings(sessionGapMs);
    const generation = await recordGeneration(bigQueryClient({ project, endpoint }), dataset, settings);
    try {
      requireGenerationSettings(dataset, generation, settings);
      return NO_DIAGNOSTICS;
    } catch (error) {
      if (error instanceof GenerationSettingsError) return problem(error.message);
      throw error;
    }
  });
}
