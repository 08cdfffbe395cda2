import { consoleUrl } from "../../runners/dataflow/dataflowJobs";
import { defineCommand } from "./command";
import { explainDryRun } from "../dataflow/explainDryRun";
import { checkLaunchOptions, jobSettings, launchOptions } from "../dataflow/launchOptions";
import { runPreflight } from "../dataflow/runPreflight";
import { SubmissionRun } from "../dataflow/submission";
import { writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";

export const launchCommand = defineCommand({
  name: "launch",
  summary: "Launch the pipeline on Dataflow",
  details:
    "Runs preflight checks, builds the pipeline with Beam's Java Pub/Sub source and BigQuery sinks, stages the files for the " +
    "workers, and submits the job with Beam's Dataflow runner for Python. Uses Application Default Credentials. " +
    "Streaming Engine and Runner v2 are always enabled.",
  options: launchOptions,
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
    ["$0 launch … --dry-run --output plan", "writes plan/job.json and plan/pipeline.pb and explains them"],
  ],
  check: checkLaunchOptions,
  async run(o) {
    const run = new SubmissionRun(o);
    return run.run(async () => {
      const outputDir = run.outputDir();
      if (outputDir === undefined && o.check) await runPreflight(o, run, { update: false });
      const built = await run.build({ update: false });
      const { jobId, files } = await run.submit(built, { outputDir });
      const { project, region, jobName } = jobSettings(o);
      const { green } = colours(process.stdout);
      if (outputDir !== undefined) {
        const { steps } = built;
        const document = { dryRun: true, jobName, project, region, outputDir, files, steps };
        writeResult(o.json, document, explainDryRun(o, { dir: outputDir, files, steps, update: false }));
        return 0;
      }
      const link = consoleUrl(jobSettings(o), jobId as string);
      writeResult(o.json, { jobId, jobName, project, region, console: link, files }, [
        `${green("submitted")} job ${jobName} (${jobId})`,
        `console   ${link}`,
      ]);
      return 0;
    });
  },
});
