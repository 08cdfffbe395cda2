/**
 * Launches the bounded pipeline on a job service and waits until it has finished. It is a separate process, like every
 * launcher, so that modules of the test process do not become part of the pipeline. Prints the number of messages and the
 * expected results.
 */
import { parseArgs } from "node:util";
import { runJob } from "@eventlogger/beam";
import { runMain } from "@eventlogger/process/main";
import { boundedPipeline } from "./boundedPipeline";

async function main(): Promise<void> {
  const text = { type: "string", default: "" } as const;
  const { values } = parseArgs({
    options: { "job-endpoint": text, image: text, project: text, dataset: text, bigquery: text, events: text },
  });
  const { project, dataset, bigquery: endpoint } = values;
  const bounded = await boundedPipeline(values.image, { project, dataset, endpoint }, Number(values.events));
  const job = await runJob(values["job-endpoint"], bounded.pipeline, "bounded", {
    registered_node_modules: bounded.modules,
  });
  await job.finished;
  process.stdout.write(JSON.stringify({ messages: bounded.messages, expected: bounded.expected }));
}

runMain(main);
