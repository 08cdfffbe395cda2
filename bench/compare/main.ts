/**
 * `npm run bench:compare`: compares the ingest replica with the small design it replaces (expressService.ts), on the same
 * Pub/Sub emulator with the same load. They take turns, because the speed of a machine varies over time.
 */
import { join } from "node:path";
import yargs from "yargs";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { startPubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { createTopic, startReplica, startService, type Service } from "../ingest/services";
import { postLoadFromProcess, type LoadReport } from "@eventlogger/traffic/load/loadProcess";
import { processUsage } from "@eventlogger/process/processUsage";
import { answers, clientLoad, latency, machine, median, rate } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";

const compareOptions = {
  connections: {
    type: "number",
    describe: "Number of keep-alive connections.",
    default: 128,
    check: wholeNumber(1, 10_000),
  },
  rounds: { type: "number", describe: "Number of turns of each service.", default: 4, check: wholeNumber(1, 100) },
  seconds: { type: "number", describe: "Length of a turn, in seconds.", default: 8, check: wholeNumber(1, 3600) },
  warmUpSeconds: {
    type: "number",
    describe: "Length of the load on each service before the first turn, in seconds.",
    default: 8,
    check: wholeNumber(0, 600),
  },
} as const satisfies OptionSpecs;

interface Contender extends Service {
  readonly name: string;
  readonly turns: LoadReport[];
}

/** Measures one turn and prints a line. @throws Error when the service refused a request, because its rate would be meaningless */
async function turn(contender: Contender, connections: number, seconds: number): Promise<void> {
  const { name, port, process, turns } = contender;
  const before = processUsage(process.pid);
  const report = await postLoadFromProcess({ port, connections, durationMs: seconds * 1000 });
  const after = processUsage(process.pid);
  const refused = Object.keys(report.statuses).filter((status) => !status.startsWith("2"));
  if (refused.length > 0) throw new Error(`${name} refused requests: ${answers(report)}`);
  turns.push(report);
  const cpu = before && after ? `  ${Math.round(((after.cpuMs - before.cpuMs) * 1000) / report.requests)} µs CPU` : "";
  console.log(`${name.padEnd(16)} ${rate(report)}/s  ${latency(report)} ms${cpu}  (${clientLoad(report)})`);
}

async function compare(options: Options<typeof compareOptions>, cleanup: Cleanup): Promise<void> {
  const { connections, rounds, seconds, warmUpSeconds } = options;
  console.log(machine());
  const emulator = await startPubSubEmulator({ logFile: join(cleanup.directory, "pubsub.log") });
  cleanup.later(() => emulator.stop());
  await createTopic(emulator);
  const express = await startService(
    join("bench", "dist", "compare", "expressService.js"),
    emulator,
    join(cleanup.directory, "express.log"),
    {
      health: "/healthz",
    },
  );
  cleanup.later(() => express.process.stop());
  const replica = await startReplica(emulator, join(cleanup.directory, "replica.log"));
  cleanup.later(() => replica.process.stop());
  const contenders: readonly [Contender, Contender] = [
    { name: "express", turns: [], ...express },
    { name: "ingest replica", turns: [], ...replica },
  ];

  if (warmUpSeconds > 0) {
    console.log(`warm-up: ${warmUpSeconds} s each`);
    for (const { port } of contenders) {
      await postLoadFromProcess({ port, connections, durationMs: warmUpSeconds * 1000 });
    }
  }
  console.log(`POST /event/, ${connections} connections, ${rounds} turns of ${seconds} s each`);
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) await turn(contender, connections, seconds);
  }

  const [baseline, ours] = contenders.map(({ turns }) => ({
    rate: median(turns.map(rate)),
    p99: median(turns.map((t) => t.latency.p99)),
  })) as [Figures, Figures];
  console.log(
    `medians: express ${Math.round(baseline.rate)}/s, p99 ${baseline.p99.toFixed(1)} ms; ` +
      `ingest replica ${Math.round(ours.rate)}/s, p99 ${ours.p99.toFixed(1)} ms\n` +
      `ratio:   ${(ours.rate / baseline.rate).toFixed(2)} times the POST/s, ` +
      `${(ours.p99 / baseline.p99).toFixed(2)} times the p99`,
  );
}

interface Figures {
  /** 1/s. */
  readonly rate: number;
  /** ms. */
  readonly p99: number;
}

runBenchmark("bench-compare", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("bench:compare")
    .usage(
      "$0 [options]\n\nMeasures POST /event/ of the ingest replica and of the Express service that it replaces, in turns, on " +
        "one Pub/Sub emulator.",
    )
    .options(yargsOptions(compareOptions))
    .example("$0 --connections 512 --rounds 6", "a larger load")
    .strict()
    .version(false)
    .parseSync();
  await compare(readOptions(compareOptions, flags), cleanup);
});
