/**
 * A worker in a process of its own: `node main.js --id ID --control_endpoint HOST:PORT --modules '["a","b"]'
 * --require-from DIR`. It loads the modules whose exports the pipeline refers to, serves one runner, and ends when that
 * runner closes the control stream or it gets SIGTERM, after giving its sources time to hand back what they hold.
 */
import "../sdk";
import { createRequire } from "node:module";
import path = require("node:path");
import { parseArgs } from "node:util";
import { Worker } from "apache-beam/worker/worker";
import { endWorker, onWorkerGone, workerStats } from "../repairs/control";
import { stateStats } from "../state/statefulParDo";
import { gauge, reportCounters } from "./counters";

/** How long sources may take to hand back what they hold. */
const LINGER_MS = 1500;
const COUNTERS_EVERY_MS = 1000;

function main(): void {
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
  // The SDK tells each bundle on console.debug.
  console.debug = () => {};
  const requireModule = createRequire(path.join(values["require-from"] ?? process.cwd(), "noop.js"));
  for (const name of JSON.parse(values.modules ?? "[]") as string[]) {
    if (name !== "apache-beam" && !name.startsWith("apache-beam/")) requireModule(name);
  }
  const worker = new Worker(id, { controlUrl });
  console.info(`worker ${id} (process ${process.pid}) serves ${controlUrl}`);
  process.on("SIGTERM", () => void endWorker(worker, "The process was told to stop"));
  onWorkerGone((error) => {
    console.info(`worker ${id} ends: ${error.message}; ${JSON.stringify(workerStats)}`);
    setTimeout(() => process.exit(0), LINGER_MS);
  });
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
}

main();
