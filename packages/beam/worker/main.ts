/**
 * A worker process of a {@link WorkerPool}: `node main.js --id ID --control_endpoint HOST:PORT --modules '["a","b"]'
 * --require-from DIR`. It serves one runner and reports its counters to the pool. It stops when the runner closes the
 * control stream, or at SIGTERM, after its sources had time to nack the messages that they hold.
 */
import "../sdk";
import { parseArgs } from "node:util";
import { runMain } from "@eventlogger/process/main";
import {
  CHECKPOINT_RECORD_VARIABLE,
  CheckpointRecorder,
  type CheckpointRecorderOptions,
} from "../flink/checkpoints/checkpointRecord";
import { beforeFinalize, workerStats } from "../patches/control";
import { allowStateBatches } from "../state/stateBatches";
import { stateStats } from "../state/statefulParDo";
import { gauge, reportCounters } from "./counters";
import { serve } from "./serve";

const COUNTERS_EVERY_MS = 1000;

/** The stack only: the properties of an error may be a request with its rows, which must not be in a log. */
const printError = (error: unknown): void => {
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
};

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    printError(error);
    process.exit(1);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      id: { type: "string" },
      control_endpoint: { type: "string" },
      modules: { type: "string" },
      "require-from": { type: "string" },
    },
  });
  const { id, control_endpoint: controlUrl } = values;
  if (!id || !controlUrl) throw new Error("--id and --control_endpoint are required");
  reportCounters(COUNTERS_EVERY_MS, () => {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    gauge("worker.rssMiB", rss >> 20);
    gauge("worker.heapMiB", heapUsed >> 20);
    gauge("worker.cpuMs", Math.round((user + system) / 1000));
    gauge("worker.bundles", workerStats.bundles);
    gauge("worker.failedBundles", workerStats.failedBundles);
    for (const [name, value] of Object.entries(stateStats())) gauge(`state.${name}`, value);
  });
  const recorderOptions = process.env[CHECKPOINT_RECORD_VARIABLE];
  if (recorderOptions) {
    const recorder = new CheckpointRecorder(JSON.parse(recorderOptions) as CheckpointRecorderOptions);
    beforeFinalize(() => recorder.record());
  }
  allowStateBatches(); // only Flink starts workers in a pool
  const modules = JSON.parse(values.modules ?? "[]") as string[];
  await serve({ id, controlUrl, modules, requireFrom: values["require-from"] ?? process.cwd() });
}

runMain(main, printError);
