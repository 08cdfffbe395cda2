import { consoleUrl } from "../../runners/dataflow/dataflowJobs";
import { stateName } from "../../runners/dataflow/jobState";
import { defineCommand } from "./command";
import { chosenJob, jobDocument, jobsOf, locationOf } from "../dataflow/jobLookup";
import { checkJobChoice, jobChoiceOptions } from "../dataflow/jobOptions";
import { jsonOption, writeResult } from "../output";

export const statusCommand = defineCommand({
  options: { ...jobChoiceOptions, ...jsonOption },
  examples: [
    [
      "$0 status --project my-project --region europe-west1 --job-name eventlogger",
      "shows the active job of this name",
    ],
    ["$0 status --project my-project --region europe-west1 --job-id 2026-01-31_01_02_03-1234567890", "shows any job"],
  ],
  check: checkJobChoice,
  async run(o) {
    const jobs = jobsOf(o);
    const job = await chosenJob(jobs, o);
    const location = locationOf(o);
    const line = (name: string, value: string | undefined): string[] =>
      value === undefined ? [] : [`${name.padEnd(9)}${value}`];
    writeResult(o.json, jobDocument(job, location), [
      ...line("job", `${job.name} (${job.id})`),
      ...line("state", `${stateName(job.state)}${job.stateSince ? ` since ${job.stateSince}` : ""}`),
      ...line("created", job.created),
      ...line("replaces", job.replaces),
      ...line("replaced", job.replacedBy && `by ${job.replacedBy}`),
      ...line(
        "labels",
        Object.entries(job.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(", ") || undefined,
      ),
      ...job.images.flatMap((image) => line("image", image)),
      ...line("console", consoleUrl(location, job.id)),
    ]);
    return 0;
  },
});
