/** `npm run bench:pipeline`: measures the whole pipeline on embedded Flink, from a synthetic source to counting sinks. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import path from "node:path";
import yargs from "yargs";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun } from "@eventlogger/beam";
import { runMain } from "@eventlogger/process/main";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { eventPipeline } from "@eventlogger/pipeline/eventPipeline";
import { WORKER_NODE_ARGS } from "@eventlogger/pipeline/runners/flink/runOnFlink";
import { newShardHashSecret } from "@eventlogger/pipeline/shards";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { processUsage } from "@eventlogger/process/processUsage";
import { machine } from "../report";
import { countRows, readSynthetic } from "./io";
import { syntheticEvents, type SyntheticTraffic } from "@eventlogger/traffic/load/syntheticMessages";

const REPORT_EVERY_MS = 5000;

const NO_USAGE = { cpuMs: NaN, rssMiB: NaN };
const usage = (pid: number): { cpuMs: number; rssMiB: number } => processUsage(pid) ?? NO_USAGE;

type DayCounts = Record<string, { sessions: number; active: number }>;

/** The expected rollups. Sessions have no inner gaps, so distinct ids are counted. */
function expected(traffic: SyntheticTraffic): string {
  const days: Record<string, { sessions: Set<string>; active: Set<string> }> = {};
  for (const e of syntheticEvents(traffic)) {
    const day = (days[dayToIso(dayOf(e.eventTime))] ??= { sessions: new Set(), active: new Set() });
    day.sessions.add(e.sessionId);
    day.active.add(e.userId);
  }
  const counts: DayCounts = {};
  for (const [day, { sessions, active }] of Object.entries(days)) {
    counts[day] = { sessions: sessions.size, active: active.size };
  }
  return JSON.stringify(counts);
}

function newestRollups(file: string): string {
  const versions = new Map<number, DayVersion>();
  if (existsSync(file)) {
    for (const line of readFileSync(file, "utf8").split("\n")) {
      if (!line) continue;
      const next = JSON.parse(line) as DayVersion;
      if (next.version > (versions.get(next.day)?.version ?? 0)) versions.set(next.day, next);
    }
  }
  const counts: DayCounts = {};
  for (const { day, sessions, activeUsers } of [...versions.values()].sort((a, b) => a.day - b.day)) {
    counts[dayToIso(day)] = { sessions, active: activeUsers };
  }
  return JSON.stringify(counts);
}

async function measure(
  name: string,
  traffic: SyntheticTraffic,
  options: { heap: string; earlyMs: number; checkpointMs: number },
) {
  const directory = mkdtempSync(path.join(tmpdir(), "bench-pipeline-"));
  const rollups = path.join(directory, "rollups");
  let run: FlinkRun | undefined;
  try {
    const pipeline = await buildPipeline(
      eventPipeline(
        {
          readMessages: readSynthetic(traffic, options.checkpointMs),
          writeEvents: countRows("WriteEvents", "rows.events"),
          writeRollupVersions: countRows("WriteRollupVersions", "rows.rollups", rollups),
          writeDeadLetters: countRows("WriteDeadLetters", "rows.deadLetters"),
          writeAcceptedIds: countRows("WriteAcceptedIds", "rows.acceptedIds"),
        },
        {
          sessionGapMs: 30 * 60_000,
          lateAfterMs: 86_400_000,
          earlyFiringMs: options.earlyMs,
          shardHashSecret: newShardHashSecret(),
        },
      ),
    );
    console.log(`${name}: ${traffic.count} events`);
    const want = expected(traffic);
    run = await runOnFlink(pipeline, {
      jobName: "bench",
      classpath: await ensureFlinkClasspath({ cacheDir, onProgress: console.log }),
      workDir: path.join(directory, "work"),
      logDir: directory,
      heap: options.heap,
      workerNodeArgs: WORKER_NODE_ARGS,
      requireFrom: repositoryRoot,
      checkpointingInterval: 5000,
      checkpointDir: path.join(directory, "checkpoints"),
      maxBundleTimeMills: 200,
    });
    const { workers, jobServer } = run;
    const jvmStart = usage(jobServer.process.pid).cpuMs;
    let started = 0;
    let lastReport = Date.now();
    let lastEvents = 0;
    let sourceDone = 0;
    for (;;) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 250)), run.finished]);
      const counters = workers.counters;
      const events = counters["events"] ?? 0;
      if (!started && events) started = Date.now();
      const now = Date.now();
      if (!sourceDone && events >= traffic.count) sourceDone = now;
      if (now - lastReport >= REPORT_EVERY_MS) {
        const jvm = usage(jobServer.process.pid);
        console.log(
          `  ${((now - started) / 1000).toFixed(0)} s: ${events} events, ` +
            `${Math.round(((events - lastEvents) / (now - lastReport)) * 1000)}/s; worker ${counters["worker.rssMiB"]} MiB ` +
            `(heap ${counters["worker.heapMiB"]}), JVM ${jvm.rssMiB} MiB; ${counters["panes"] ?? 0} panes, ` +
            `${counters["state.requests"]} state requests in ${counters["state.messages"]} messages, ${counters["state.hits"]} cache hits, ` +
            `${counters["worker.failedBundles"]} failed bundles`,
        );
        lastReport = now;
        lastEvents = events;
      }
      if (sourceDone && newestRollups(rollups) === want) break;
      if (sourceDone && now - sourceDone > 120_000) {
        console.log(`  rollups are not exact: ${newestRollups(rollups)} instead of ${want}`);
        break;
      }
    }
    const seconds = (Date.now() - started) / 1000;
    const counters = workers.counters;
    const jvm = usage(jobServer.process.pid);
    const perMillion = (ms: number): string => ((ms / 1000 / traffic.count) * 1e6).toFixed(0);
    console.log(
      `  ${Math.round(traffic.count / seconds)} events/s from the first event to exact rollups ` +
        `(${seconds.toFixed(1)} s; the last event was read after ${((sourceDone - started) / 1000).toFixed(1)} s)\n` +
        `  CPU for a million events: worker ${perMillion(counters["worker.cpuMs"] ?? 0)} s, ` +
        `JVM ${perMillion(jvm.cpuMs - jvmStart)} s\n` +
        `  memory at the end: worker ${counters["worker.rssMiB"]} MiB, JVM ${jvm.rssMiB} MiB (heap limit ${options.heap})`,
    );
  } finally {
    await run?.stop();
    if (process.env["KEEP"]) console.log(directory);
    else rmSync(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const argv = await yargs(process.argv.slice(2))
    .usage("npm run bench:pipeline -- [options]")
    .options({
      count: { type: "number", default: 1_000_000, describe: "Number of events of the realistic run." },
      "worst-count": {
        type: "number",
        default: 200_000,
        describe: "Number of events of the run in which every event has a new user.",
      },
      users: { type: "number", default: 3000, describe: "Number of users active at the same time." },
      heap: { type: "string", default: "3g", describe: "Heap limit of the JVM." },
      "early-ms": { type: "number", default: 10_000, describe: "Interval of early firings of session windows, in ms." },
      "slice-ms": { type: "number", default: 1000, describe: "Time between self-checkpoints of the source, in ms." },
      only: { choices: ["realistic", "worst"] as const, describe: "Run only one of the two." },
    })
    .example("npm run bench:pipeline -- --count 200000", "a shorter run")
    .strict()
    .help().argv;
  console.log(`${machine()}, ${Math.round(totalmem() / 2 ** 30)} GiB`);
  const options = { heap: argv.heap, earlyMs: argv["early-ms"], checkpointMs: argv["slice-ms"] };
  const traffic = { eventsPerSession: 8, startMs: Date.now() - 600_000, stepMs: 0.25 };
  if (argv.only !== "worst") {
    await measure("realistic traffic", { ...traffic, count: argv.count, activeUsers: argv.users }, options);
  }
  if (argv.only !== "realistic") {
    await measure(
      "every event has a new user and a new session",
      { ...traffic, count: argv["worst-count"], activeUsers: 0 },
      options,
    );
  }
}

runMain(main);
