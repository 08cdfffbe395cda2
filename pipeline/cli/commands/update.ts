import { readFileSync } from "node:fs";
import type { OptionSpecs } from "@eventlogger/options/options";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { consoleUrl, DataflowJobs, type Job } from "../../runners/dataflow/dataflowJobs";
import { canBeUpdated, stateName } from "../../runners/dataflow/jobState";
import { planUpdate, type UpdatePlan } from "../../runners/dataflow/update/updatePlan";
import { defineCommand } from "./command";
import { explainDryRun } from "../dataflow/explainDryRun";
import { readableTarget, type JobTarget } from "../dataflow/jobTarget";
import { checkLaunchOptions, jobSettings, launchOptions, type LaunchOptions } from "../dataflow/launchOptions";
import { runPreflight } from "../dataflow/runPreflight";
import { planLines } from "../dataflow/planLines";
import { SubmissionRun } from "../dataflow/submission";
import { progressOutput, writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";

const options = {
  ...launchOptions,
  transformNameMapping: {
    type: "map",
    describe: "Renamed steps, as OLD=NEW. A prefix of step names maps all steps under it",
    default: {},
    group: "Update:",
  },
  allowStateLoss: {
    type: "boolean",
    describe: "Update even if steps lose their state. The rollups are then no longer exact",
    default: false,
    group: "Update:",
  },
  compareWith: {
    type: "string",
    describe: "With --dry-run: pipeline.pb of the running job, to report what happens to its steps",
    optional: true,
    group: "Update:",
  },
} as const satisfies OptionSpecs;

/** The running job. @throws Error with the reason why no job can be updated */
async function runningJob(
  jobs: DataflowJobs,
  o: LaunchOptions,
  { jobName, generation, row }: JobTarget,
  signal: AbortSignal,
): Promise<Job> {
  const { project, region } = o;
  const found = await jobs.findActive(jobName, signal);
  const job = found && (await jobs.get(found.id, signal));
  if (!job) {
    const recorded = row?.job?.runner === "dataflow" && row.job.name !== jobName ? row.job : undefined;
    throw new Error(
      `No active job is named ${jobName} in project ${project}, region ${region}, so that none can be updated. ` +
        (recorded
          ? `The job of generation ${generation} is named ${recorded.name}, in region ${recorded.region} (--job-name, --region).`
          : "Start one with `eventlogger launch`."),
    );
  }
  if (!canBeUpdated(job.state)) {
    throw new Error(`Job ${jobName} (${job.id}) is ${stateName(job.state)}, but only a running job can be updated`);
  }
  return job;
}

/** @throws Error when the update would lose state, or a mapping matches no step */
function requireNoLoss({ losses, wrongMappings }: UpdatePlan, allowStateLoss: boolean): void {
  if (wrongMappings.length) {
    throw new Error("--transform-name-mapping (TRANSFORM_NAME_MAPPING) has entries that match no step, see above");
  }
  if (losses.length && !allowStateLoss) {
    throw new Error(
      `${losses.length} ${losses.length === 1 ? "step" : "steps"} of the running job would lose state, and the rollups ` +
        "would no longer be exact. Map renamed steps with --transform-name-mapping, or do not change the steps. " +
        "To update anyway, use --allow-state-loss.",
    );
  }
}

export const updateCommand = defineCommand({
  details:
    "Compares the steps of both jobs first, because Dataflow transfers state by step names. If a step would lose its state, " +
    "nothing is submitted (exit code 1). If Dataflow finds the new job incompatible, the running job continues.",
  options,
  examples: [
    [
      "$0 update --project my-project --region europe-west1 --temp-location gs://my-bucket/temp --image europe-docker.pkg.dev/my-project/eventlogger/eventlogger-worker:0.2.0",
      "updates to the image of another version",
    ],
    ["$0 update … --transform-name-mapping CountUsers=CountActiveUsers", "maps a renamed step"],
    [
      "$0 update … --dry-run --compare-with old/pipeline.pb",
      "shows the effect of the update without calling any service",
    ],
  ],
  check: (o) => [
    ...checkLaunchOptions(o),
    ...(o.compareWith !== undefined && !o.dryRun
      ? ["--compare-with (COMPARE_WITH) requires --dry-run (DRY_RUN): an update compares with the running job"]
      : []),
  ],
  async run(o) {
    const run = new SubmissionRun(o);
    return run.run(async () => {
      const { transformNameMapping, compareWith, allowStateLoss } = o;
      const update = { transformNameMapping };
      const output = progressOutput(o.json);
      const showPlan = (plan: UpdatePlan): void => {
        for (const line of planLines(plan, output)) output.write(`${line}\n`);
        requireNoLoss(plan, allowStateLoss);
      };
      const settings = jobSettings(o);
      const { project, region } = settings;
      const outputDir = run.outputDir();
      if (outputDir !== undefined) {
        const { jobName } = o;
        const before = compareWith === undefined ? undefined : readFileSync(compareWith);
        const target = await run.target({ update: true });
        const built = await run.build(target);
        const { stepsOf } = await import("../../runners/dataflow/update/steps.js");
        const plan = before && planUpdate(stepsOf(before), built.steps, transformNameMapping);
        if (plan) showPlan(plan);
        const { files } = await run.submit(target, built, { update, replaceJobId: "", outputDir });
        const { steps } = built;
        const document = { dryRun: true, jobName, project, region, outputDir, files, steps, plan };
        writeResult(o.json, document, explainDryRun(o, { target, dir: outputDir, files, steps, update: true }));
        return 0;
      }
      const api = new GoogleApi(project);
      const jobs = new DataflowJobs(api, settings);
      const running = await runningJob(jobs, o, await run.stoppable(readableTarget(o)), run.signal);
      if (o.check) await runPreflight(o, run, { update: true });
      const target = await run.target({ update: true });
      const built = await run.build(target);
      const { runningSteps } = await import("../../runners/dataflow/update/runningSteps.js");
      const onPartial = (reason: string): void =>
        run.warn(`${reason}. Only the names of steps are compared, not their state`);
      const before = await runningSteps(api, running, { onPartial, signal: run.signal });
      const plan = planUpdate(before, built.steps, transformNameMapping);
      showPlan(plan);
      const { jobId, files } = await run.submit(target, built, { update, replaceJobId: running.id });
      await run.recordJob(target, jobId as string);
      const link = consoleUrl(settings, jobId as string);
      const { jobName, generation } = target;
      const { green } = colours(process.stdout);
      const document = {
        jobId,
        jobName,
        generation,
        project,
        region,
        console: link,
        replaces: running.id,
        plan,
        files,
      };
      writeResult(o.json, document, [
        `${green("submitted")} job ${jobName} (${jobId}), which replaces ${running.id} when its workers are ready`,
        `console   ${link}`,
      ]);
      return 0;
    });
  },
});
