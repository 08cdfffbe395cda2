import { defineCommand } from "./command";
import { endJob, endJobOptions } from "../dataflow/endJob";
import { checkJobChoice } from "../dataflow/jobOptions";

export const cancelCommand = defineCommand({
  details:
    "The job ends at once. Events that it acknowledged but has not written are lost, as is its state. Unacknowledged " +
    "messages are redelivered. `drain` loses no events.",
  options: endJobOptions,
  examples: [
    [
      "$0 cancel --project my-project --region europe-west1 --job-name eventlogger --wait",
      "waits until the job has ended",
    ],
    [
      "$0 cancel --project my-project --region europe-west1 --job-id 2026-01-31_01_02_03-1234567890",
      "chooses the job by id",
    ],
  ],
  check: checkJobChoice,
  run: (o) =>
    endJob(o, {
      verb: "cancel",
      goal: "JOB_STATE_CANCELLED",
      inProgress: ["JOB_STATE_CANCELLING"],
      request: (jobs, id, signal) => jobs.cancel(id, signal),
    }),
});
