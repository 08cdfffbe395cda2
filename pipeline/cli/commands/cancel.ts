import { defineCommand } from "./command";
import { endJob, endJobOptions } from "../dataflow/endJob";
import { checkJobChoice } from "../dataflow/jobOptions";

export const cancelCommand = defineCommand({
  name: "cancel",
  summary: "End a job on Dataflow at once",
  details:
    "What it has acknowledged and not written yet is lost, and so is the state of its ledgers; what it has not\n" +
    "acknowledged comes again. `drain` loses nothing that was read.",
  options: endJobOptions,
  examples: [
    ["$0 cancel --project my-project --region europe-west1 --job-name eventlogger --wait", "until it has ended"],
    ["$0 cancel --project my-project --region europe-west1 --job-id 2026-01-31_01_02_03-1234567890", "by id"],
  ],
  check: checkJobChoice,
  run: (o) =>
    endJob(o, {
      verb: "cancel",
      goal: "JOB_STATE_CANCELLED",
      underWay: ["JOB_STATE_CANCELLING"],
      ask: (jobs, id, signal) => jobs.cancel(id, signal),
    }),
});
