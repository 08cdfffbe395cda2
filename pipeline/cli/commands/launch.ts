import { matches, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { costLines } from "../../costs/costLines";
import { machineOf } from "../../costs/machineTypes";
import { monthlyCosts } from "../../costs/monthlyCosts";
import { consoleUrl } from "../../runners/dataflow/dataflowJobs";
import { defineCommand } from "./command";
import { checkOnly } from "../dataflow/checkOnly";
import { explainDryRun } from "../dataflow/explainDryRun";
import { recordJobOf } from "../dataflow/jobTarget";
import { checkLaunchOptions, jobSettings, launchOptions, type LaunchOptions } from "../dataflow/launchOptions";
import { requireStart } from "../dataflow/lostState";
import { runPreflight } from "../dataflow/runPreflight";
import { SubmissionRun } from "../dataflow/submission";
import { writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";

/** An estimate of the costs needs no project. */
const requiredUnless = "costPer";

const options = {
  ...launchOptions,
  project: { ...launchOptions.project, requiredUnless },
  region: { ...launchOptions.region, requiredUnless },
  tempLocation: { ...launchOptions.tempLocation, requiredUnless },
  image: { ...launchOptions.image, requiredUnless },
  fromSnapshot: {
    type: "string",
    describe: "Begin with the state of this Dataflow snapshot of the job, given by its id",
    optional: true,
    check: matches(/^[\w-]{1,128}$/, "the id of a snapshot"),
    group: "Job:",
  },
  checkOnly: {
    type: "boolean",
    describe:
      "Run the preflight checks, show the result of each, and submit nothing. Exit code 1 if there is a problem",
    default: false,
    group: "Submission:",
  },
  costPer: {
    type: "number",
    describe:
      "Print an estimate of the monthly costs for this number of events per day, by list prices, and submit nothing",
    optional: true,
    check: wholeNumber(1, 1e12),
    group: "Submission:",
  },
} as const satisfies OptionSpecs;

type LaunchValues = Options<typeof options>;

/** What Dataflow gives a streaming job with Streaming Engine by its documentation. */
const DEFAULT_MACHINE_TYPE = "n1-standard-2";

/** `--check-only` makes the checks that these options leave out. */
function checkOnlyProblems(o: Partial<LaunchValues>): string[] {
  if (!o.checkOnly) return [];
  return [
    ...(o.check === false ? ["--check-only (CHECK_ONLY) cannot be combined with --no-check (CHECK=false)"] : []),
    ...(o.dryRun
      ? ["--check-only (CHECK_ONLY) cannot be combined with --dry-run (DRY_RUN), which contacts no service"]
      : []),
  ];
}

/** `--cost-per` prints an estimate and does nothing else. */
function costProblems({ costPer, checkOnly: onlyChecks, dryRun }: Partial<LaunchValues>): string[] {
  if (costPer === undefined) return [];
  return [
    ...(onlyChecks ? ["--cost-per (COST_PER) cannot be combined with --check-only (CHECK_ONLY)"] : []),
    ...(dryRun ? ["--cost-per (COST_PER) cannot be combined with --dry-run (DRY_RUN)"] : []),
  ];
}

/** Whether a job is wanted, and not an estimate. Its options are complete then. */
function isLaunch(o: LaunchValues): o is LaunchValues & LaunchOptions {
  return o.costPer === undefined;
}

/** Prints an estimate of the monthly costs. */
function showCosts({ costPer = 0, workerMachineType = DEFAULT_MACHINE_TYPE, ...o }: LaunchValues): number {
  const costs = monthlyCosts({
    eventsPerDay: costPer,
    machineType: workerMachineType,
    machine: machineOf(workerMachineType),
    minWorkers: o.numWorkers,
    maxWorkers: o.autoscaling === "none" ? o.numWorkers : o.maxWorkers,
  });
  writeResult(o.json, costs, costLines(costs));
  return 0;
}

export const launchCommand = defineCommand({
  details:
    "Computes the active generation of the numbers. Refuses to start when it has numbers and no job has their state, for example after a " +
    "drain: a new job would count from zero. Runs preflight checks, builds the pipeline with Beam's Java Pub/Sub source and BigQuery sinks, stages the files for the " +
    "workers, and submits the job with Beam's Dataflow runner for Python. Uses Application Default Credentials. " +
    "Streaming Engine and Runner v2 are always enabled.",
  options,
  examples: [
    [
      "$0 launch --project my-project --region europe-west1 --temp-location gs://my-bucket/temp --image europe-docker.pkg.dev/my-project/eventlogger/eventlogger-worker:0.1.0",
      "launches a job with Dataflow's defaults",
    ],
    [
      "$0 launch … --max-workers 5 --worker-machine-type n2-standard-2 --service-account w@my-project.iam.gserviceaccount.com --labels team=data,cost=42",
      "sets limits, a service account and labels",
    ],
    [
      "$0 launch … --subnetwork regions/europe-west1/subnetworks/workers --no-public-ips",
      "runs the workers in a private network",
    ],
    ["$0 launch … --check-only", "shows what each preflight check finds, and submits nothing"],
    [
      "$0 launch … --dry-run --output plan",
      "writes the request and its graph to plan/, and explains it; open plan/graph.html in a browser",
    ],
  ],
  check: (o) => [...checkLaunchOptions(o), ...checkOnlyProblems(o), ...costProblems(o)],
  async run(o) {
    if (!isLaunch(o)) return showCosts(o);
    const run = new SubmissionRun(o);
    return run.run(async () => {
      const hasState = o.fromSnapshot !== undefined;
      if (o.checkOnly) return checkOnly(o, run, { hasState });
      const outputDir = run.outputDir();
      if (outputDir === undefined && o.check) await runPreflight(o, run, { update: false });
      const target = await run.target({ update: false });
      if (outputDir === undefined) {
        await run.stoppable(requireStart(o, target, { hasState, signal: run.signal }));
      }
      const built = await run.build(target);
      // Before it is submitted, so that it is known even if this command is killed.
      if (outputDir === undefined) await run.stoppable(recordJobOf(o, target));
      const { jobId, files } = await run.submit(target, built, { outputDir, fromSnapshot: o.fromSnapshot });
      const { project, region } = o;
      const { generation, jobName } = target;
      const { green } = colours(process.stdout);
      if (outputDir !== undefined) {
        const { steps } = built;
        const document = { dryRun: true, jobName, project, region, outputDir, files, steps };
        writeResult(o.json, document, explainDryRun(o, { target, dir: outputDir, files, steps, update: false }));
        return 0;
      }
      await run.recordJob(target, jobId as string);
      const link = consoleUrl(jobSettings(o), jobId as string);
      writeResult(o.json, { jobId, jobName, generation, project, region, console: link, files }, [
        `${green("submitted")} job ${jobName} (${jobId}), which computes generation ${generation}`,
        `console   ${link}`,
      ]);
      return 0;
    });
  },
});
