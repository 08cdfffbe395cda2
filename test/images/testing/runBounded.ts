/**
 * Launches the bounded pipeline on a job service and waits for its end, in a process of its own, like every launcher:
 * what else a test process has loaded is no part of the pipeline. Prints how many messages went in, and what must come out.
 */
import { parseArgs } from "node:util";
import { runJob } from "@eventlogger/beam";
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

void main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
