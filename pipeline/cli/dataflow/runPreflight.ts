import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  GenerationSettingsError,
  recordGeneration,
  requireGenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { withTimeout } from "@eventlogger/process/wait";
import { generationSettings } from "../../generationSettings";
import { checkLaunch } from "../../runners/dataflow/preflight/checkLaunch";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import type { SubmissionRun } from "./submission";

/** Time limit for the settings of the dataset; ms. */
const SETTINGS_TIMEOUT_MS = 10_000;

/**
 * Records the settings of the numbers in the dataset, or compares them with those that are recorded. Warns when that is not
 * possible: the permission to launch a job does not imply the permission to change the table.
 * @throws GenerationSettingsError
 */
async function useDatasetSettings(o: LaunchOptions, run: SubmissionRun): Promise<void> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const settings = generationSettings(o.sessionGap);
  const recording = recordGeneration(bigquery, o.dataset, settings);
  try {
    const generation = await withTimeout(recording, SETTINGS_TIMEOUT_MS, "recording the settings of the numbers");
    requireGenerationSettings(o.dataset, generation, settings);
  } catch (error) {
    if (error instanceof GenerationSettingsError) throw error;
    run.warn(`Could not compare the settings with those of dataset ${o.dataset}: ${(error as Error).message}`);
  }
}

/**
 * Runs the preflight checks and prints their warnings. If they find no problem, records the settings in the dataset.
 * @throws Error with all problems; GenerationSettingsError when the dataset has other settings
 */
export async function runPreflight(
  o: LaunchOptions,
  run: SubmissionRun,
  { update }: { readonly update: boolean },
): Promise<void> {
  run.say("preflight checks of subscription, tables, buckets and image");
  const { tempLocation, stagingLocation } = jobSettings(o);
  const { problems, warnings } = await run.stoppable(
    checkLaunch({
      project: o.project,
      region: o.region,
      subscription: o.subscription,
      dataset: o.dataset,
      tempLocation,
      stagingLocation,
      image: o.image,
      machineType: o.workerMachineType,
      jobName: o.jobName,
      update,
      bigqueryEndpoint: o.bigqueryEndpoint,
      dataflowEndpoint: o.dataflowEndpoint,
    }),
  );
  for (const warning of warnings) run.warn(warning);
  if (problems.length === 0) return run.stoppable(useDatasetSettings(o, run));
  throw new Error(
    `Preflight checks found ${problems.length === 1 ? "a problem" : `${problems.length} problems`} ` +
      `(--no-check skips the checks):\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
  );
}
