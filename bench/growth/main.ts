/**
 * `npm run bench:growth`: measures the cost of an event while the number of known users grows. For each number, it fills the
 * state through the pipeline, warms everything up, and then measures the same traffic of returning users.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import yargs from "yargs";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { flinkOptions } from "../flinkOptions";
import { formatTable, runFigures, type RunFigures } from "../figures";
import { referenceMs } from "../machineSpeed";
import { BenchPipeline, CHECKPOINT_INTERVAL_MS } from "../pipeline/benchPipeline";
import { machine } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { totalsText } from "../traffic/expectedTotals";
import { RETURNING_USERS, totalsOfKnownUsers, totalsOfReturningUsers, type GrowthTraffic } from "./traffic";

const SOURCE_CHECKPOINT_MS = 1000;
/** Largest change of the cost per event that counts as flat. */
const FLAT_WITHIN = 0.15;

const benchOptions = {
  known: {
    type: "list",
    describe: `Numbers of known users, each at least ${RETURNING_USERS}. Each also has a session.`,
    default: ["10000", "100000", "1000000", "5000000"],
    check: (list) => {
      const invalid = list.filter((text) => !/^\d+$/.test(text) || Number(text) < RETURNING_USERS);
      return invalid.length ? `must be whole numbers from ${RETURNING_USERS}, not ${invalid.join(", ")}` : undefined;
    },
  },
  events: {
    type: "number",
    describe: "Number of events that are measured. As many are sent before, to warm up.",
    default: 300_000,
    check: wholeNumber(1000, 10_000_000),
  },
  users: {
    type: "number",
    describe: "Number of sessions that are open at the same time.",
    default: 3000,
    check: wholeNumber(1, 1_000_000),
  },
  ...flinkOptions,
  limit: {
    type: "duration",
    describe: "Filling the state, or a measurement, that takes longer fails.",
    default: 1_800_000,
  },
  json: { type: "string", describe: "File for all figures, as JSON.", optional: true },
} as const satisfies OptionSpecs;

type GrowthOptions = Options<typeof benchOptions>;

/** What was measured with one number of known users. */
interface Growth {
  readonly known: number;
  readonly figures: RunFigures;
  /** Seconds until all known users were counted. */
  readonly fillSeconds: number;
  /** State requests per measured event. */
  readonly requestsPerEvent: number;
  /** Mean of {@link referenceMs} before and after the measurement. */
  readonly referenceMs: number;
  /** Bytes of the folder of checkpoints. */
  readonly checkpointBytes: number;
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(path.join(folder, name), { throwIfNoEntry: false }))
    .reduce((sum, stats) => sum + (stats?.isFile() ? stats.size : 0), 0);
}

async function measure(known: number, options: GrowthOptions, cleanup: Cleanup): Promise<Growth> {
  const directory = path.join(cleanup.directory, String(known));
  mkdirSync(directory);
  const traffic: GrowthTraffic = { known, events: options.events, openSessions: options.users, nowMs: Date.now() };
  const gates = [path.join(directory, "second-day"), path.join(directory, "third-day")] as const;
  const open = (gate: string): void => closeSync(openSync(gate, "w"));
  console.log(`${known} known users`);
  const bench = await BenchPipeline.start(
    { kind: "growth", traffic, gates },
    {
      heap: options.heap,
      stateBackend: options.stateBackend,
      rocksdbMemory: options.rocksdbMemory,
      sessionWindows: "state",
      earlyMs: 10_000,
      sourceCheckpointMs: SOURCE_CHECKPOINT_MS,
      onProgress: console.log,
    },
    cleanup,
    directory,
  );
  try {
    const startedAt = performance.now();
    const days = totalsOfKnownUsers(traffic);
    const exact = async (): Promise<void> => {
      const expected = totalsText(days);
      await bench.until(`the totals ${expected}`, () => bench.totals === expected, options.limit);
    };
    await exact();
    const fillSeconds = (performance.now() - startedAt) / 1000;
    console.log(`  filled in ${fillSeconds.toFixed(0)} s; warming up`);
    days.push(...totalsOfReturningUsers(traffic, "warm-up"));
    open(gates[0]);
    await exact();
    days.push(...totalsOfReturningUsers(traffic, "measured"));
    // So that the first checkpoint of everything is not part of the measurement.
    await sleep(2 * CHECKPOINT_INTERVAL_MS, undefined, { signal: cleanup.signal });
    const requests = (): number => bench.flink.workers.counters["state.requests"] ?? 0;
    const requestsBefore = requests();
    const speedBefore = referenceMs();
    bench.meter.start();
    const openedAt = performance.now();
    open(gates[1]);
    let readAt = NaN;
    const expected = totalsText(days);
    const check = (): boolean => {
      if (Number.isNaN(readAt) && bench.isRead) readAt = performance.now();
      return !Number.isNaN(readAt) && bench.totals === expected;
    };
    await bench.until(`the totals ${expected}`, check, options.limit);
    const exactAt = performance.now();
    const figures = runFigures(
      {
        name: String(known),
        events: options.events,
        isExact: true,
        problems: bench.problems(known + 2 * options.events),
      },
      bench.meter,
      { startedAt: openedAt, readAt, exactAt },
    );
    for (const problem of figures.problems) console.log(`  problem: ${problem}`);
    const speedAfter = referenceMs();
    // The newest counters arrive within a second, and the checkpoint within its interval.
    await sleep(CHECKPOINT_INTERVAL_MS, undefined, { signal: cleanup.signal });
    return {
      known,
      figures,
      fillSeconds,
      referenceMs: (speedBefore + speedAfter) / 2,
      requestsPerEvent: (requests() - requestsBefore) / options.events,
      checkpointBytes: folderBytes(bench.checkpointDirectory),
    };
  } finally {
    await bench.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const HEADER = [
  "known users",
  "events/s",
  "CPU s/M",
  "JVM",
  "worker",
  "reference ms",
  "to the first",
  "RSS MiB",
  "JVM",
  "worker",
];
const MORE = ["requests/event", "checkpoints MiB", "filled, s", "share", "machine"];

/** CPU time of an event, as multiples of the reference. */
const costOf = ({ figures, referenceMs: reference }: Growth): number => figures.cpuPerMillion.all / reference;

/** Cost of an event as a multiple of that with the first number of known users. */
const toTheFirst = (growth: Growth, all: readonly Growth[]): number => costOf(growth) / costOf(all[0] ?? growth);

function table(all: readonly Growth[]): string {
  return formatTable([
    [...HEADER, ...MORE],
    ...all.map((growth) => {
      const { known, figures, requestsPerEvent, checkpointBytes, fillSeconds } = growth;
      const { cpuPerMillion: cpu, peakRssMiB: rss, share } = figures;
      return [
        String(known),
        figures.eventsPerSecond.toFixed(0),
        ...[cpu.all, cpu.jvm, cpu.worker].map((s) => s.toFixed(0)),
        growth.referenceMs.toFixed(0),
        toTheFirst(growth, all).toFixed(2),
        ...[rss.all, rss.jvm, rss.worker].map((mib) => mib.toFixed(0)),
        requestsPerEvent.toFixed(3),
        (checkpointBytes / 2 ** 20).toFixed(0),
        fillSeconds.toFixed(0),
        `${Math.round(share.own * 100)} %`,
        `${Math.round(share.all * 100)} %`,
      ];
    }),
  ]);
}

runBenchmark("bench-growth", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:growth --")
    .usage(
      "$0 [options]\n\nFills the state with users, and measures what an event of returning users costs. It checks that all " +
        "numbers are exact. With 5 million users it takes about ten minutes.",
    )
    .options(yargsOptions(benchOptions))
    .example("$0 --known 10000,100000 --events 100000", "two small states")
    .example("$0 --state-backend heap --heap 6g", "state in the heap of Flink")
    .strict()
    .version(false)
    .parseSync();
  const options = readOptions(benchOptions, flags);
  console.log(`${machine()}, ${Math.round(totalmem() / 2 ** 30)} GiB`);
  const all: Growth[] = [];
  for (const known of options.known.map(Number)) {
    all.push(await measure(known, options, cleanup));
    if (options.json !== undefined) {
      const document = { machine: machine(), memoryBytes: totalmem(), at: new Date().toISOString(), options, all };
      writeFileSync(options.json, `${JSON.stringify(document, null, 2)}\n`);
    }
    console.log(`\n${table(all)}\n`);
  }
  const growth = Math.max(...all.map((one) => toTheFirst(one, all))) - 1;
  console.log(
    `CPU per event, in multiples of the reference, rises by at most ${Math.round(growth * 100)} % from the first number of known users: ` +
      `${growth <= FLAT_WITHIN ? "flat" : "not flat"} within ${FLAT_WITHIN * 100} %`,
  );
  const disturbed = all.filter(({ figures }) => figures.problems.length > 0);
  if (disturbed.length) throw new UserError(`Disturbed runs: ${disturbed.map(({ known }) => known).join(", ")}`);
});
