/** `npm run bench:ingest`: measures POSTs of single events or of batches to one replica, with the Pub/Sub emulator, on this machine. */
import { join } from "node:path";
import yargs from "yargs";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { startPubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { startNginx } from "@eventlogger/nginx/testing/startNginx";
import { batchBodies } from "@eventlogger/traffic/load/eventBodies";
import { postLoadFromProcess } from "@eventlogger/traffic/load/loadProcess";
import { processUsage } from "@eventlogger/process/processUsage";
import { answers, clientLoad, latency, machine, rate } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { profileFlags, readProfile } from "../cpuProfile";
import { reportProfile, timeOfReplica } from "./profile";
import { createTopic, startReplica } from "./services";

const benchOptions = {
  connections: {
    type: "number",
    describe: "Number of keep-alive connections.",
    default: 128,
    check: wholeNumber(1, 10_000),
  },
  seconds: {
    type: "number",
    describe: "Length of the measurement, in seconds.",
    default: 10,
    check: wholeNumber(1, 3600),
  },
  warmUpSeconds: {
    type: "number",
    describe: "Length of the load before the measurement, in seconds.",
    default: 5,
    check: wholeNumber(0, 600),
  },
  batch: {
    type: "number",
    describe: "Number of events of each POST to /events/. By default each event is sent alone to /event/.",
    optional: true,
    check: wholeNumber(1, 1000),
  },
  nginx: { type: "boolean", describe: "Send requests through nginx, which must be installed.", default: false },
  profile: {
    type: "boolean",
    describe: "Report the CPU time of each part of the replica. This makes it slower.",
    default: false,
  },
} as const satisfies OptionSpecs;

/** Checks the answer to one batch, because the load client only counts answers. @throws Error when an event is not accepted */
async function checkBatch(port: number, batch: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/events/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: batchBodies("check", Date.now(), batch)(0),
  });
  const { accepted } = (await response.json()) as { accepted?: number };
  if (accepted !== batch) throw new Error(`Only ${accepted ?? 0} of a batch of ${batch} events were accepted`);
}

/** Measures one replica. @returns the number of requests, including the warm-up */
async function measure(port: number, pid: number, options: Options<typeof benchOptions>): Promise<number> {
  const { connections, seconds, warmUpSeconds, batch } = options;
  let requests = 0;
  if (warmUpSeconds > 0) {
    console.log(`warm-up: ${warmUpSeconds} s`);
    requests += (await postLoadFromProcess({ port, connections, batch, durationMs: warmUpSeconds * 1000 })).requests;
  }
  console.log(`load: ${seconds} s, ${connections} connections`);
  const before = processUsage(pid);
  const report = await postLoadFromProcess({ port, connections, batch, durationMs: seconds * 1000 });
  const after = processUsage(pid);
  requests += report.requests;

  console.log(`POST/s           ${rate(report)}  (${clientLoad(report)})`);
  if (batch !== undefined) {
    console.log(`events/s         ${Math.round(((report.statuses["200"] ?? 0) * batch * 1000) / report.elapsedMs)}`);
  }
  console.log(`latency, ms      ${latency(report)}`);
  console.log(`answers          ${answers(report)}`);
  if (!before || !after) return requests;
  const cpuUs = ((after.cpuMs - before.cpuMs) * 1000) / report.requests;
  const each = batch === undefined ? "" : `, ${(cpuUs / batch).toFixed(1)} µs per event`;
  console.log(`replica CPU      ${cpuUs.toFixed(0)} µs per request${each}`);
  console.log(`replica memory   ${after.rssMiB} MiB, peak ${after.peakRssMiB} MiB`);
  return requests;
}

async function bench(options: Options<typeof benchOptions>, cleanup: Cleanup): Promise<void> {
  console.log(machine());
  const emulator = await startPubSubEmulator({ logFile: join(cleanup.directory, "pubsub.log") });
  cleanup.later(() => emulator.stop());
  await createTopic(emulator);
  const replica = await startReplica(
    emulator,
    join(cleanup.directory, "replica.log"),
    options.profile ? profileFlags(cleanup.directory) : [],
  );
  cleanup.later(() => replica.process.stop());
  let { port } = replica;
  if (options.nginx) {
    const nginx = await startNginx(cleanup.directory, [port]);
    cleanup.later(() => nginx.process.stop());
    port = nginx.port;
  }
  if (options.batch !== undefined) await checkBatch(port, options.batch);
  const requests = await measure(port, replica.process.pid, options);
  if (!options.profile) return;
  await replica.process.stop();
  console.log(reportProfile(timeOfReplica(readProfile(cleanup.directory)), requests * (options.batch ?? 1)));
}

runBenchmark("bench-ingest", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("bench:ingest")
    .usage("$0 [options]\n\nStarts a Pub/Sub emulator and one ingest replica, and measures POST /event/ or /events/.")
    .options(yargsOptions(benchOptions))
    .example("$0 --connections 256 --seconds 30", "a larger load")
    .example("$0 --batch 100 --connections 16 --nginx", "batches of 100 events through nginx")
    .example("$0 --profile", "CPU time of validation, publishing and HTTP")
    .strict()
    .version(false)
    .parseSync();
  await bench(readOptions(benchOptions, flags), cleanup);
});
