/** `npm run bench:ingest`: POSTs of single events or of batches to one replica, with the Pub/Sub emulator, all on this machine. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import yargs from "yargs";
import { ConfigError, readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "../config/options";
import { startPubSubEmulator, type PubSubEmulator } from "../local/emulators";
import { packageRoot } from "../config/packageRoot";
import { freePort } from "../local/ports";
import { answers, awaitReady } from "../local/readiness";
import { startChildProcess, type ChildProcess } from "../pipeline/beam/process/childProcess";
import { nginxArguments, renderNginxConfig } from "../nginx/render";
import { pubSubClient } from "../pipeline/pubsub/client";
import { batchBodies } from "./load/events";
import { postLoadFromProcess } from "./load/loadProcess";
import { processUsage } from "./load/processUsage";

const PROJECT = "demo-project";
const TOPIC = "events";

const benchOptions = {
  connections: { type: "number", describe: "Kept connections", default: 128, check: wholeNumber(1, 10_000) },
  seconds: { type: "number", describe: "Length of the measurement", default: 10, check: wholeNumber(1, 3600) },
  warmUpSeconds: { type: "number", describe: "Load before the measurement", default: 5, check: wholeNumber(0, 600) },
  batch: {
    type: "number",
    describe: "Events of each POST to /events/; without it they are sent one by one to /event/",
    optional: true,
    check: wholeNumber(1, 1000),
  },
  nginx: { type: "boolean", describe: "Through nginx, which must be installed", default: false },
} as const satisfies OptionSpecs;

/** No subscription: what is published is acknowledged and forgotten, so the emulator's memory does not grow. */
async function createTopic(emulator: PubSubEmulator): Promise<void> {
  process.env.PUBSUB_EMULATOR_HOST = emulator.host;
  const pubsub = pubSubClient({ project: PROJECT });
  await pubsub.createTopic(TOPIC);
  await pubsub.close();
}

async function startReplica(
  emulator: PubSubEmulator,
  logFile: string,
): Promise<{ port: number; process: ChildProcess }> {
  const port = await freePort();
  const child = await startChildProcess({
    name: "ingest replica",
    command: process.execPath,
    args: [join(packageRoot, "dist", "ingest", "main.js")],
    env: { PROJECT, TOPIC, PORT: String(port), PUBSUB_EMULATOR_HOST: emulator.host },
    logFile,
  });
  await awaitReady(child, () => answers(`http://127.0.0.1:${port}/readyz`), 20_000);
  return { port, process: child };
}

/** One nginx in front of the replica. */
async function startNginx(directory: string, upstreamPort: number): Promise<{ port: number; process: ChildProcess }> {
  const port = await freePort();
  const configFile = join(directory, "nginx.conf");
  writeFileSync(configFile, renderNginxConfig({ listenPort: port, upstreamPorts: [upstreamPort], directory }));
  const child = await startChildProcess({
    name: "nginx",
    command: "nginx",
    args: nginxArguments(configFile, directory),
    logFile: join(directory, "nginx.log"),
  });
  await awaitReady(child, () => answers(`http://127.0.0.1:${port}/readyz`), 20_000);
  return { port, process: child };
}

/** The load client only counts answers: what they say is looked at once. @throws Error when an event is not accepted. */
async function checkBatch(port: number, batch: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/events/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: batchBodies("check", Date.now(), batch)(0),
  });
  const { accepted } = (await response.json()) as { accepted?: number };
  if (accepted !== batch) throw new Error(`${accepted ?? "None"} of a batch of ${batch} events were accepted`);
}

async function measure(port: number, pid: number, options: Options<typeof benchOptions>): Promise<void> {
  const { connections, seconds, warmUpSeconds, batch } = options;
  if (warmUpSeconds > 0) {
    console.log(`warm-up: ${warmUpSeconds} s`);
    await postLoadFromProcess({ port, connections, batch, durationMs: warmUpSeconds * 1000 });
  }
  console.log(`load: ${seconds} s, ${connections} connections`);
  const before = processUsage(pid);
  const report = await postLoadFromProcess({ port, connections, batch, durationMs: seconds * 1000 });
  const after = processUsage(pid);

  const ms = (n: number): string => n.toFixed(1);
  const { p50, p90, p99, max } = report.latency;
  const load = `client used ${Math.round((100 * report.clientCpuMs) / report.elapsedMs)} % of a core`;
  console.log(`POST/s           ${Math.round((report.requests * 1000) / report.elapsedMs)}  (${load})`);
  if (batch !== undefined) {
    console.log(`events/s         ${Math.round(((report.statuses["200"] ?? 0) * batch * 1000) / report.elapsedMs)}`);
  }
  console.log(`latency, ms      p50 ${ms(p50)}  p90 ${ms(p90)}  p99 ${ms(p99)}  max ${ms(max)}`);
  console.log(
    `answers          ${Object.entries(report.statuses)
      .map(([s, n]) => `${s}: ${n}`)
      .join("  ")}`,
  );
  if (!before || !after) return;
  const cpuUs = ((after.cpuMs - before.cpuMs) * 1000) / report.requests;
  const each = batch === undefined ? "" : `, ${(cpuUs / batch).toFixed(1)} µs an event`;
  console.log(`replica CPU      ${cpuUs.toFixed(0)} µs a request${each}`);
  console.log(`replica memory   ${after.rssMiB} MiB, at most ${after.peakRssMiB} MiB`);
}

async function main(): Promise<void> {
  const flags = yargs(process.argv.slice(2))
    .scriptName("bench:ingest")
    .usage("$0 [options]\n\nStarts a Pub/Sub emulator and one ingest replica, and measures POST /event/ or /events/.")
    .options(yargsOptions(benchOptions))
    .example("$0 --connections 256 --seconds 30", "more of everything")
    .example("$0 --batch 100 --connections 16 --nginx", "batches of 100 events through nginx")
    .strict()
    .version(false)
    .parseSync();
  const options = readOptions(benchOptions, flags);

  const directory = mkdtempSync(join(tmpdir(), "bench-ingest-"));
  const cleanUp: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(1)));
  }
  try {
    console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}`);
    const emulator = await startPubSubEmulator({ logFile: join(directory, "pubsub.log") });
    cleanUp.push(() => emulator.stop());
    await createTopic(emulator);
    const replica = await startReplica(emulator, join(directory, "replica.log"));
    cleanUp.push(() => replica.process.stop());
    let { port } = replica;
    if (options.nginx) {
      const nginx = await startNginx(directory, port);
      cleanUp.push(() => nginx.process.stop());
      port = nginx.port;
    }
    if (options.batch !== undefined) await checkBatch(port, options.batch);
    await measure(port, replica.process.pid, options);
  } finally {
    await stop();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
});
