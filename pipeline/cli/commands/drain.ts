import { defineCommand } from "./command";
import { endJob, endJobOptions } from "../dataflow/endJob";
import { checkJobChoice } from "../dataflow/jobOptions";

export const drainCommand = defineCommand({
  details:
    "The job stops reading, closes its windows and writes their results. Unread messages stay in the subscription. The " +
    "state of the job is deleted: a new job needs an empty dataset and all events again. To change code or settings, " +
    "use `update`.",
  options: endJobOptions,
  examples: [
    [
      "$0 drain --project my-project --region europe-west1 --job-name eventlogger --wait",
      "waits until the job has ended",
    ],
    [
      "$0 drain --project my-project --region europe-west1 --job-id 2026-01-31_01_02_03-1234567890 --json",
      "chooses the job by id, prints JSON",
    ],
  ],
  check: checkJobChoice,
  run: (o) =>
    endJob(o, {
      verb: "drain",
      goal: "JOB_STATE_DRAINED",
      inProgress: ["JOB_STATE_DRAINING"],
      request: (jobs, id, signal) => jobs.drain(id, signal),
    }),
});
