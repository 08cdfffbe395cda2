import { mergeDiagnostics } from "@eventlogger/gcp/diagnostics";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations/generation";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { checkLaunch } from "../../runners/dataflow/preflight/checkLaunch";
import { recordSettings } from "../../runners/dataflow/preflight/recordSettings";
import { requireServices } from "../services";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import type { SubmissionRun } from "./submission";

/**
 * Runs the preflight checks and prints their warnings. If they find no problem, records the settings in the dataset, or
 * compares them with those that are recorded.
 * @throws Error with all problems
 */
export async function runPreflight(
  o: LaunchOptions,
  run: SubmissionRun,
  { update }: { readonly update: boolean },
): Promise<void> {
  run.say("preflight checks of subscriptions, tables, buckets and image");
  await run.stoppable(
    requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint }, storage: true }),
  );
  const { tempLocation, stagingLocation } = jobSettings(o);
  const checked = await run.stoppable(
    checkLaunch({
      project: o.project,
      region: o.region,
      subscription: o.subscription,
      replaySubscription: replaySubscription(o.subscription, FIRST_GENERATION),
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
  const { problems, warnings } = checked.problems.length
    ? checked
    : mergeDiagnostics([checked, await run.stoppable(recordSettings({ ...o, sessionGapMs: o.sessionGap, update }))]);
  for (const warning of warnings) run.warn(warning);
  if (problems.length === 0) return;
  throw new Error(
    `Preflight checks found ${problems.length === 1 ? "a problem" : `${problems.length} problems`} ` +
      `(--no-check skips the checks):\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
  );
}
