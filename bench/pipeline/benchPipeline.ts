import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun, type StateBackend } from "@eventlogger/beam";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { waitUntil } from "@eventlogger/process/wait";
import { WORKER_NODE_ARGS } from "@eventlogger/pipeline/runners/flink/workerNodeArgs";
import { eventPipeline, type SessionWindows } from "@eventlogger/pipeline/eventPipeline";
import { newShardHashSecret } from "@eventlogger/pipeline/shards";
import type { Cleanup } from "../runBenchmark";
import { SESSION_GAP_MS } from "../traffic/expectedTotals";
import { UsageMeter } from "../usageMeter";
import { BenchCluster } from "./benchCluster";
import { countRows, lastMarks, readMessages, type MessageOrigin, type SourceMarks } from "./io";
import { newestTotals } from "./newestTotals";

const POLL_MS = 50;
const REPORT_EVERY_MS = 5000;
/** Time between checkpoints of every program that is compared, ms. */
export const CHECKPOINT_INTERVAL_MS = 5000;
/** Limits of a bundle of every program that is compared. */
export const MAX_BUNDLE_SIZE = 5000;
export const MAX_BUNDLE_TIME_MS = 200;
const DAY_MS = 86_400_000;
/** Time for workers to stop, and to write a profile, ms. */
const STOP_MS = 3000;
const PROFILE_MS = 20_000;

/** Settings of a run that a benchmark may vary. */
export interface PipelineSettings {
  /** Heap limit of the JVM, as for `-Xmx`. */
  readonly heap: string;
  readonly stateBackend: StateBackend;
  /** Memory of RocksDB, as `512m`. */
  readonly rocksdbMemory: string;
  /** How sessions are windowed. */
  readonly sessionWindows: SessionWindows;
  /** IANA name of the zone of the days. @default UTC */
  readonly timeZone?: string;
  /** Interval of early firings of session windows, ms. */
  readonly earlyMs: number;
  /** Time between self-checkpoints of the source, ms. */
  readonly sourceCheckpointMs: number;
  /** Number of workers. @default 1 */
  readonly parallelism?: number;
  /** Whether Flink runs as a session cluster, with a TaskManager for each worker, instead of in one process. */
  readonly cluster?: boolean;
  /** Node flags of the workers. */
  readonly workerNodeArgs?: readonly string[];
  readonly onProgress?: (line: string) => void;
}

/** The pipeline on Flink, from a fast source to counting sinks. */
export class BenchPipeline {
  /** Of the groups `jvm` and `worker`. */
  readonly meter: UsageMeter;
  private reported = { at: performance.now(), events: 0 };
  private readonly startedAt = performance.now();
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly flink: FlinkRun,
    readonly checkpointDirectory: string,
    private readonly rollups: string,
    private readonly marks: SourceMarks & { readonly all: readonly string[] },
    private readonly settings: PipelineSettings,
    private readonly signal: AbortSignal,
    private readonly cluster: BenchCluster | undefined,
  ) {
    const { workers, jobServer } = flink;
    this.meter = new UsageMeter({
      jvm: () => [jobServer.process.pid, ...(cluster?.jvmPids ?? [])],
      worker: () => cluster?.workerPids ?? workers.pids,
    });
  }

  /** @param directory for logs, checkpoints and the totals */
  static async start(
    origin: MessageOrigin,
    settings: PipelineSettings,
    cleanup: Cleanup,
    directory: string,
  ): Promise<BenchPipeline> {
    mkdirSync(directory, { recursive: true });
    const rollups = path.join(directory, "rollups");
    const checkpointDir = path.join(directory, "checkpoints");
    const marks = { first: path.join(directory, "first-message"), last: path.join(directory, "last-message") };
    const pipeline = await buildPipeline(
      eventPipeline(
        {
          readMessages: readMessages(origin, settings.sourceCheckpointMs, marks),
          writeEvents: countRows("WriteEvents", "rows.events"),
          writeRollupVersions: countRows("WriteRollupVersions", "rows.rollups", rollups),
          writeRetentionVersions: countRows("WriteRetentionVersions", "rows.retention"),
          writeDeadLetters: countRows("WriteDeadLetters", "rows.deadLetters"),
          writeAcceptedIds: countRows("WriteAcceptedIds", "rows.acceptedIds"),
        },
        {
          sessionGapMs: SESSION_GAP_MS,
          sessionWindows: settings.sessionWindows,
          timeZone: settings.timeZone,
          lateAfterMs: DAY_MS,
          earlyFiringMs: settings.earlyMs,
          shardHashSecret: newShardHashSecret(),
        },
      ),
    );
    const classpath = await ensureFlinkClasspath({ cacheDir, onProgress: settings.onProgress });
    const { parallelism = 1, heap, rocksdbMemory } = settings;
    const workerNodeArgs = [...WORKER_NODE_ARGS, ...(settings.workerNodeArgs ?? [])];
    const cluster = settings.cluster
      ? await BenchCluster.start({
          ...{ taskManagers: parallelism, classpath, heap, rocksdbMemory, workerNodeArgs },
          directory: path.join(directory, "cluster"),
        })
      : undefined;
    if (cluster) cleanup.later(() => cluster.stop());
    const flink = await runOnFlink(pipeline, {
      ...cluster?.runnerOptions,
      jobName: "bench",
      parallelism,
      classpath,
      workDir: path.join(directory, "work"),
      logDir: directory,
      heap,
      stateBackend: settings.stateBackend,
      managedMemory: rocksdbMemory,
      requireFrom: repositoryRoot,
      checkpointingInterval: CHECKPOINT_INTERVAL_MS,
      checkpointDir,
      maxBundleSize: MAX_BUNDLE_SIZE,
      maxBundleTimeMills: MAX_BUNDLE_TIME_MS,
      workerNodeArgs,
    });
    const files = { ...marks, all: lastMarks(marks, origin) };
    const bench = new BenchPipeline(flink, checkpointDir, rollups, files, settings, cleanup.signal, cluster);
    cleanup.later(() => bench.stop());
    return bench;
  }

  /** Whether the source has begun, and whether its readers have emitted their last messages. */
  get hasStarted(): boolean {
    return existsSync(this.marks.first);
  }
  get isRead(): boolean {
    return this.marks.all.every((file) => existsSync(file));
  }

  /** Number of events that were parsed, as of about a second ago. */
  get read(): number {
    const { events = 0, replayedEvents = 0 } = this.flink.workers.counters;
    return events + replayedEvents;
  }

  /** The newest totals of each day, as text. */
  get totals(): string {
    return newestTotals(this.rollups);
  }

  /**
   * Waits for a condition, and reports progress.
   * @throws TimeoutError; Error when the job ends
   */
  until<T>(what: string, condition: () => T, timeoutMs: number): Promise<unknown> {
    const poll = (): T => {
      this.meter.sample();
      this.report();
      return condition();
    };
    return Promise.race([
      waitUntil(what, poll, { timeoutMs, intervalMs: POLL_MS, signal: this.signal }),
      this.flink.finished.then(() => {
        throw new Error("The job ended too early");
      }),
    ]);
  }

  private report(): void {
    const now = performance.now();
    if (now - this.reported.at < REPORT_EVERY_MS || this.read === 0) return;
    const { counters } = this.flink.workers;
    const perSecond = ((this.read - this.reported.events) * 1000) / (now - this.reported.at);
    this.settings.onProgress?.(
      `  ${((now - this.startedAt) / 1000).toFixed(0)} s: ${this.read} events, ${Math.round(perSecond)}/s; ` +
        `worker ${counters["worker.rssMiB"]} MiB (heap ${counters["worker.heapMiB"]}); ${counters["panes"] ?? 0} panes, ` +
        `${counters["state.requests"]} state requests in ${counters["state.messages"]} messages, ${counters["state.hits"]} cache hits, ` +
        `${counters["worker.failedBundles"]} failed bundles`,
    );
    this.reported = { at: now, events: this.read };
  }

  /** What disturbed the run so far. @param events the number of events that the source has emitted */
  problems(events: number): string[] {
    const { counters, unexpectedExits } = this.flink.workers;
    return [
      ...(counters["deadLetters"] ? [`${counters["deadLetters"]} dead letters`] : []),
      ...(unexpectedExits ? [`${unexpectedExits} workers exited`] : []),
      ...(counters["worker.failedBundles"] ? [`${counters["worker.failedBundles"]} failed bundles`] : []),
      ...(this.read > events ? [`the job restarted: ${this.read} of ${events} events were read`] : []),
    ];
  }

  /** Ends the run. May be called more than once. */
  stop(): Promise<void> {
    this.stopping ??= (async () => {
      // A job on a cluster does not end with its job server.
      if (!this.cluster) await this.flink.jobServer.stop(2000);
      await this.flink.workers.stop(this.settings.workerNodeArgs ? PROFILE_MS : STOP_MS);
      await this.flink.stop();
      await this.cluster?.stop();
    })();
    return this.stopping;
  }
}
