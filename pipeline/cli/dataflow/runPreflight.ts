import { mergeDiagnostics, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { UserError } from "@eventlogger/process/main";
import { checkLaunch, type LaunchCheck } from "../../runners/dataflow/preflight/checkLaunch";
import { recordSettings } from "../../runners/dataflow/preflight/recordSettings";
import { requireServices } from "../services";
import { readableTarget, type JobTarget } from "./jobTarget";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { settingsOf } from "./launchSettings";
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
  await run.stoppable(requireLaunchServices(o));
  const checked = await run.stoppable(checkTarget(o, await run.stoppable(readableTarget(o)), { update }));
  const { problems, warnings } = checked.problems.length
    ? checked
    : mergeDiagnostics([checked, await run.stoppable(recordSettings(settingsOf(o, { update })))]);
  for (const warning of warnings) run.warn(warning);
  requireNoProblems(problems);
}

/**
 * Checks that there are credentials, and that something answers at each address that replaces one of Google's.
 * @throws EmulatorUnreachableError, CredentialsError
 */
export function requireLaunchServices(o: LaunchOptions): Promise<void> {
  return requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint }, storage: true });
}

/** Runs the checks of everything that a job needs. */
export function checkTarget(
  o: LaunchOptions,
  target: JobTarget,
  { update }: { readonly update: boolean },
): Promise<Diagnostics> {
  return checkLaunch(launchCheck(o, target, { update }));
}

/** The resources of a job. */
export function launchCheck(
  o: LaunchOptions,
  { subscription, replaySubscription, jobName }: JobTarget,
  { update }: { readonly update: boolean },
): LaunchCheck {
  const { tempLocation, stagingLocation } = jobSettings(o);
  return {
    project: o.project,
    region: o.region,
    ...{ subscription, replaySubscription, jobName },
    dataset: o.dataset,
    tempLocation,
    stagingLocation,
    image: o.image,
    machineType: o.workerMachineType,
    update,
    bigqueryEndpoint: o.bigqueryEndpoint,
    dataflowEndpoint: o.dataflowEndpoint,
  };
}

/** @throws UserError with all problems */
export function requireNoProblems(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new UserError(
    `Preflight checks found ${problems.length === 1 ? "a problem" : `${problems.length} problems`} ` +
      `(--no-check skips the checks):\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
  );
}
