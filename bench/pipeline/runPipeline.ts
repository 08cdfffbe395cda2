import path from "node:path";
import { mkdirSync } from "node:fs";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun } from "@eventlogger/beam";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { waitUntil } from "@eventlogger/process/wait";
import { eventPipeline, type SessionWindows } from "@eventlogger/pipeline/eventPipeline";
import { newShardHashSecret } from "@eventlogger/pipeline/shards";
import { runFigures, type RunFigures } from "../figures";
import type { Cleanup } from "../runBenchmark";
import { SESSION_GAP_MS } from "../traffic/expectedTotals";
import { UsageMeter } from "../usageMeter";
import { countRows, readMessages, type MessageOrigin } from "./io";
import { newestTotals } from "./newestTotals";

const POLL_MS = 200;
const REPORT_EVERY_MS = 5000;
/** Time between checkpoints of every program that is compared, ms. */
export const CHECKPOINT_INTERVAL_MS = 5000;
/** Limits of a bundle of every program that is compared. */
export const MAX_BUNDLE_SIZE = 5000;
export const MAX_BUNDLE_TIME_MS = 200;
const DAY_MS = 86_400_000;

/** Settings of a run that a benchmark may vary. */
export interface PipelineSettings {
  /** Heap limit of the JVM, as for `-Xmx`. */
  readonly heap: string;
  /** Interval of early firings of session windows, ms. */
  readonly earlyMs: number;
  /** Time between self-checkpoints of the source, ms. */
  readonly sourceCheckpointMs: number;
  /** A run whose totals are not exact after this time fails, ms. */
  readonly limitMs: number;
  /** How sessions are windowed. */
  readonly sessionWindows: SessionWindows;
}

export interface PipelineRun extends PipelineSettings {
  readonly name: string;
  readonly origin: MessageOrigin;
  readonly events: number;
  /** The totals that must come out, of `totalsText`. */
  readonly expected: string;
  /** Node flags of the workers. */
  readonly workerNodeArgs?: readonly string[];
  readonly onProgress?: (line: string) => void;
  /** Called when the first event was read, and when the totals are exact, before anything is stopped. */
  readonly onStarted?: (run: FlinkRun) => Promise<void>;
  readonly onExact?: (run: FlinkRun) => Promise<void>;
}

/**
 * Runs the pipeline on embedded Flink from a fast source to counting sinks, until its totals equal the expected ones.
 * @param directory for logs, checkpoints and the totals
 */
export async function runPipeline(run: PipelineRun, cleanup: Cleanup, directory: string): Promise<RunFigures> {
  const { name, events, expected, onProgress = () => {} } = run;
  mkdirSync(directory, { recursive: true });
  const rollups = path.join(directory, "rollups");
  const pipeline = await buildPipeline(
    eventPipeline(
      {
        readMessages: readMessages(run.origin, events, run.sourceCheckpointMs),
        writeEvents: countRows("WriteEvents", "rows.events"),
        writeRollupVersions: countRows("WriteRollupVersions", "rows.rollups", rollups),
        writeDeadLetters: countRows("WriteDeadLetters", "rows.deadLetters"),
        writeAcceptedIds: countRows("WriteAcceptedIds", "rows.acceptedIds"),
      },
      {
        sessionGapMs: SESSION_GAP_MS,
        sessionWindows: run.sessionWindows,
        lateAfterMs: DAY_MS,
        earlyFiringMs: run.earlyMs,
        shardHashSecret: newShardHashSecret(),
      },
    ),
  );
  const flink = await runOnFlink(pipeline, {
    jobName: "bench",
    classpath: await ensureFlinkClasspath({ cacheDir, onProgress }),
    workDir: path.join(directory, "work"),
    logDir: directory,
    heap: run.heap,
    requireFrom: repositoryRoot,
    checkpointingInterval: CHECKPOINT_INTERVAL_MS,
    checkpointDir: path.join(directory, "checkpoints"),
    maxBundleSize: MAX_BUNDLE_SIZE,
    maxBundleTimeMills: MAX_BUNDLE_TIME_MS,
    workerNodeArgs: run.workerNodeArgs,
  });
  // The workers get time to write a profile.
  const stop = async (): Promise<void> => {
    await flink.jobServer.stop(2000);
    await flink.workers.stop(run.workerNodeArgs ? 20_000 : 3000);
    await flink.stop();
  };
  cleanup.later(stop);

  const { workers, jobServer } = flink;
  const meter = new UsageMeter({ jvm: () => [jobServer.process.pid], worker: () => workers.pids });
  const deadline = performance.now() + run.limitMs;
  const left = (): number => Math.max(0, deadline - performance.now());
  const read = (): number => workers.counters["events"] ?? 0;
  const poll = <T>(what: string, condition: () => T) =>
    Promise.race([
      waitUntil(what, condition, { timeoutMs: left(), intervalMs: POLL_MS, signal: cleanup.signal }),
      flink.finished.then(() => {
        throw new Error("The job ended too early");
      }),
    ]);

  await poll("the first event", read);
  meter.start();
  const startedAt = performance.now();
  await run.onStarted?.(flink);
  let reported = { at: startedAt, events: 0 };
  const report = (): void => {
    meter.sample();
    const now = performance.now();
    if (now - reported.at < REPORT_EVERY_MS) return;
    const { counters } = workers;
    const perSecond = ((read() - reported.events) * 1000) / (now - reported.at);
    onProgress(
      `  ${((now - startedAt) / 1000).toFixed(0)} s: ${read()} events, ${Math.round(perSecond)}/s; ` +
        `worker ${counters["worker.rssMiB"]} MiB (heap ${counters["worker.heapMiB"]}); ${counters["panes"] ?? 0} panes, ` +
        `${counters["state.requests"]} state requests, ${counters["state.hits"]} cache hits, ` +
        `${counters["worker.failedBundles"]} failed bundles`,
    );
    reported = { at: now, events: read() };
  };
  let readAt = NaN;
  const problems: string[] = [];
  const isExact = await poll("exact totals", () => {
    report();
    if (Number.isNaN(readAt) && read() >= events) readAt = performance.now();
    return !Number.isNaN(readAt) && newestTotals(rollups) === expected;
  }).catch((error: unknown) => {
    cleanup.signal.throwIfAborted();
    problems.push(`${error instanceof Error ? error.message : String(error)}; totals: ${newestTotals(rollups)}`);
    return false;
  });
  const exactAt = performance.now();
  const { deadLetters } = workers.counters;
  if (deadLetters) problems.push(`${deadLetters} dead letters`);
  if (workers.unexpectedExits) problems.push(`${workers.unexpectedExits} workers exited`);
  if (workers.counters["worker.failedBundles"])
    problems.push(`${workers.counters["worker.failedBundles"]} failed bundles`);
  if (read() > events) problems.push(`the job restarted: ${read()} of ${events} events were read`);
  const figures = runFigures({ name, events, isExact, problems }, meter, { startedAt, readAt, exactAt });
  await run.onExact?.(flink);
  await stop();
  return figures;
}
