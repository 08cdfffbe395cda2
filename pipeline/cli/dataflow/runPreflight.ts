import { checkLaunch } from "../../runners/dataflow/preflight/checkLaunch";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import type { SubmissionRun } from "./submission";

/**
 * Finds out before anything is built what would fail later; says what could not be looked at.
 * @throws Error with everything that was found
 */
export async function checkBeforeLaunch(
  o: LaunchOptions,
  run: SubmissionRun,
  { update }: { readonly update: boolean },
): Promise<void> {
  run.say("looking for subscription, tables, buckets and image");
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
  if (problems.length === 0) return;
  throw new Error(
    `${problems.length === 1 ? "This stands" : `These ${problems.length} things stand`} in the way ` +
      `(--no-check submits all the same):\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
  );
}
