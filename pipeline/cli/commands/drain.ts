import { defineCommand } from "./command";
import { endJob, endJobOptions } from "../dataflow/endJob";
import { checkJobChoice } from "../dataflow/jobOptions";

export const drainCommand = defineCommand({
  name: "drain",
  summary: "Let a job on Dataflow finish what it has read, then end it",
  details:
    "It reads no more, closes its windows and writes their results. What is not read yet stays in the subscription.\n" +
    "The state of its ledgers ends with it: a job that is launched afterwards needs an empty dataset and all events\n" +
    "again. To change code or settings, use `update`.",
  options: endJobOptions,
  examples: [
    ["$0 drain --project my-project --region europe-west1 --job-name eventlogger --wait", "until it has ended"],
    ["$0 drain --project my-project --region europe-west1 --job-id 2026-01-31_01_02_03-1234567890 --json", "by id"],
  ],
  check: checkJobChoice,
  run: (o) =>
    endJob(o, {
      verb: "drain",
      goal: "JOB_STATE_DRAINED",
      underWay: ["JOB_STATE_DRAINING"],
      ask: (jobs, id, signal) => jobs.drain(id, signal),
    }),
});
