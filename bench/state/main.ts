/**
 * `npm run bench:state`: memory and checkpoints of a large state on Flink. It creates keys in two steps with state, and then
 * changes some of them. A run that is started again on its folder resumes from its last checkpoint.
 */
import {
  buildPipeline,
  checkpointToRestore,
  ensureFlinkClasspath,
  readCheckpointRecord,
  runOnFlink,
  writeCheckpointRecord,
  type FlinkRun,
} from "@eventlogger/beam";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { processUsage } from "@eventlogger/process/processUsage";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import yargs from "yargs";
import { machine, median } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { startJavaLoad } from "./java";
import { personSizes } from "./persons";
import { statePipeline, type StateLoad } from "./pipeline";

const REPORT_EVERY_MS = 15_000;

/** A complete checkpoint in Flink's REST API. */
interface CheckpointStatistics {
  readonly id: number;
  readonly status: string;
  /** Bytes that this checkpoint has written. */
  readonly checkpointed_size: number;
  /** Bytes of the whole state. */
  readonly state_size: number;
  /** ms */
  readonly end_to_end_duration: number;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Reads the statistics of the checkpoints of the only job of an embedded Flink. */
class Checkpoints {
  private readonly seen = new Map<number, CheckpointStatistics>();
  private reported = 0;

  constructor(private readonly jobServerLog: string) {}

  async read(): Promise<void> {
    const addresses = [
      ...readFileSync(this.jobServerLog, "utf8").matchAll(/http:\/\/(?:localhost|127\.0\.0\.1):(\d+)/g),
    ];
    const port = addresses.at(-1)?.[1];
    if (port === undefined) return;
    const get = async <T>(what: string): Promise<T> =>
      (await (await fetch(`http://127.0.0.1:${port}${what}`)).json()) as T;
    const { jobs } = await get<{ jobs: { id: string }[] }>("/jobs");
    const { history } = await get<{ history: CheckpointStatistics[] }>(`/jobs/${jobs[0]?.id}/checkpoints`);
    for (const checkpoint of history) if (checkpoint.status === "COMPLETED") this.seen.set(checkpoint.id, checkpoint);
  }

  /** One line for the checkpoints since the last call. */
  report(): string {
    const all = [...this.seen.values()].sort((a, b) => a.id - b.id);
    const recent = all.filter(({ id }) => id > this.reported);
    const last = recent.at(-1);
    if (!last) return "no checkpoint";
    this.reported = last.id;
    const sizes = recent.map((c) => c.checkpointed_size);
    return (
      `state ${mib(last.state_size)}; ${recent.length} checkpoints wrote ${mib(median(sizes))} (median), ` +
      `${mib(Math.max(...sizes))} (largest), ${mib(sizes.reduce((a, b) => a + b, 0))} (all) and took ` +
      `${median(recent.map((c) => c.end_to_end_duration))} ms (median)`
    );
  }
}

/** Measures the steps in Beam Java. */
async function measureJava(
  load: StateLoad,
  options: { directory: string; seconds: number; backend: "rocksdb" | "heap"; heap: string; memory: string },
  cleanup: Cleanup,
): Promise<void> {
  // It has no record of its checkpoints, and always starts with empty state.
  for (const name of ["checkpoints", "classes", "java.log", "work"]) {
    rmSync(path.join(options.directory, name), { recursive: true, force: true });
  }
  mkdirSync(options.directory, { recursive: true });
  const java = await startJavaLoad(load, options);
  cleanup.later(() => java.stop());
  const statistics = new Checkpoints(java.logFile);
  const startedAt = performance.now();
  let reportedAt = startedAt;
  while (performance.now() - startedAt < options.seconds * 1000) {
    const ended = await Promise.race([sleep(1000, undefined, { signal: cleanup.signal }), java.exited]);
    if (ended !== undefined) throw new Error(`Beam Java exited. The end of its log:\n${java.logTail()}`);
    await statistics.read().catch(() => {}); // the endpoint is not open yet
    if (performance.now() - reportedAt < REPORT_EVERY_MS) continue;
    reportedAt = performance.now();
    const usage = processUsage(java.pid);
    const writes = /(?:^|\n)write (\d+)\n(?![^]*\nwrite )/.exec(readFileSync(java.logFile, "utf8"))?.[1] ?? "0";
    console.log(
      `${Math.round((reportedAt - startedAt) / 1000)} s: after write ${writes}; JVM ${usage?.rssMiB} MiB, ` +
        `peak ${usage?.peakRssMiB} MiB\n    ${statistics.report()}`,
    );
  }
}

async function measure(
  load: StateLoad,
  options: { directory: string; seconds: number; backend: "rocksdb" | "heap"; heap: string; memory: string },
  cleanup: Cleanup,
): Promise<void> {
  const { directory, backend } = options;
  const file = path.join(directory, "current.json");
  const checkpoints = path.join(directory, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  const before = readCheckpointRecord(file);
  const point = before?.restorePoint ?? null;
  const run = (before?.newestRun ?? 0) + 1;
  const restoreFrom = point ? checkpointToRestore(file, checkpoints, point, backend).directory : undefined;
  writeCheckpointRecord(file, { newestRun: run, restorePoint: point });
  const logDir = path.join(directory, `logs-${run}`);
  const flink: FlinkRun = await runOnFlink(await buildPipeline(statePipeline(load)), {
    jobName: "state",
    classpath: await ensureFlinkClasspath({ cacheDir, onProgress: console.log }),
    workDir: path.join(directory, "work"),
    logDir,
    heap: options.heap,
    stateBackend: backend,
    managedMemory: options.memory,
    requireFrom: repositoryRoot,
    workerNodeArgs: ["--max-old-space-size=1024"],
    checkpointingInterval: 3000,
    checkpointRecord: { file, checkpoints, run, stateBackend: backend },
    restoreFrom,
    maxBundleTimeMills: 200,
  });
  cleanup.later(() => flink.stop());
  const { workers, jobServer } = flink;
  const statistics = new Checkpoints(path.join(logDir, "job-server.log"));
  const startedAt = performance.now();
  let reportedAt = startedAt;
  let written = 0;
  let peak = 0;
  while (performance.now() - startedAt < options.seconds * 1000) {
    const ended = await Promise.race([sleep(1000, undefined, { signal: cleanup.signal }), flink.finished]);
    if (ended !== undefined) break;
    const jvm = processUsage(jobServer.process.pid);
    const node = workers.pids.map((pid) => processUsage(pid)?.rssMiB ?? 0).reduce((a, b) => a + b, 0);
    peak = Math.max(peak, (jvm?.rssMiB ?? 0) + node);
    await statistics.read().catch(() => {}); // the endpoint is not open yet
    const now = performance.now();
    if (now - reportedAt < REPORT_EVERY_MS) continue;
    const writes = workers.counters["users"] ?? 0;
    console.log(
      `${Math.round((now - startedAt) / 1000)} s: write ${workers.gauges["writes"] ?? 0}, ` +
        `${Math.round(((writes - written) / (now - reportedAt)) * 1000)} writes/s in each step; ` +
        `JVM ${jvm?.rssMiB} MiB, worker ${node} MiB, peak of both ${peak} MiB\n    ${statistics.report()}`,
    );
    written = writes;
    reportedAt = now;
  }
  const end = readCheckpointRecord(file)?.restorePoint;
  console.log(`peak memory ${peak} MiB; checkpoint ${end?.checkpoint} of run ${end?.run} is recorded`);
}

runBenchmark("bench-state", async (cleanup) => {
  const argv = await yargs(process.argv.slice(2))
    .usage("npm run bench:state -- [options]")
    .options({
      keys: { type: "number", default: 5_000_000, describe: "Number of keys of each of the two steps." },
      changes: {
        type: "number",
        default: 1000,
        describe: "Keys of each step that are changed in a second, once all exist.",
      },
      seconds: { type: "number", default: 300, describe: "Duration; start again to continue." },
      directory: {
        type: "string",
        default: path.join(tmpdir(), "bench-state"),
        describe: "Folder for checkpoints and logs. It is kept, so that the next start resumes.",
      },
      backend: { choices: ["rocksdb", "heap"] as const, default: "rocksdb" as const, describe: "State backend." },
      heap: { type: "string", default: "1g", describe: "Heap limit of the JVM." },
      java: { type: "boolean", default: false, describe: "Run the steps in Beam Java: the same state, sooner." },
      memory: { type: "string", default: "512m", describe: "Memory of RocksDB." },
    })
    .example("npm run bench:state -- --keys 100000 --seconds 60", "a small state")
    .strict()
    .help().argv;
  console.log(`${machine()}, ${Math.round(totalmem() / 2 ** 30)} GiB`);
  for (const line of await personSizes()) console.log(line);
  await (argv.java ? measureJava : measure)(
    { keys: argv.keys, changesPerSecond: argv.changes },
    { ...argv, directory: path.resolve(argv.directory) },
    cleanup,
  );
});
