import path from "node:path";
import { readCheckpointRecord, type CheckpointRecorderOptions, type Failure } from "@eventlogger/beam";
import type { JobReports } from "@eventlogger/beam/flink/cluster/jobReports";
import { rotateLog } from "@eventlogger/process/logFiles";
import { UserError } from "@eventlogger/process/main";
import { formatDuration } from "@eventlogger/process/wait";
import { STUCK } from "../cli/exitCodes";
import { ClockSteps } from "./clockSteps";
import { diskSpaceProblem } from "./diskSpace";
import { JobServerLog, LogFollower } from "./jobServerLog";
import { runMetrics, type RunSnapshot } from "./metrics";
import { MonitorServer } from "./monitorServer";
import { RepeatedFailures } from "./repeatedFailures";
import { RunProgress } from "./runProgress";

/** The run is not ready when no checkpoint was completed for this time, or for five intervals; ms. */
const READY_CHECKPOINT_AGE_MS = 60_000;

/** Least time for the first bundle: a start restores the state, and may run on a busy machine; ms. */
const START_LIMIT_MS = 5 * 60_000;

const TICK_MS = 1000;
const LOG_ROTATION = { maxBytes: 20 << 20, keep: 3 };

/**
 * The pipeline makes no progress although its processes run, for example because a worker hangs. The process that started
 * `run` should start it again.
 */
export class PipelineStuckError extends UserError {
  constructor(missing: string, failures: readonly string[], logs: string) {
    super(
      `The pipeline is stuck: ${missing}.\n` +
        (failures.length ? `Failures that go on:\n${failures.map((line) => `  ${line}\n`).join("")}` : "") +
        `Logs are in ${logs}. The next run resumes from the last checkpoint, and nothing acknowledged is lost. ` +
        "--stuck-after (STUCK_AFTER) sets the time limit; 0 turns it off.",
      { exitCode: STUCK },
    );
    this.name = "PipelineStuckError";
  }
}

export interface RunMonitorOptions {
  /** Address of the HTTP server. */
  readonly host: string;
  /** Port of the HTTP server; undefined: no server. */
  readonly port: number | undefined;
  /** Time without progress after which the run is stuck; ms; 0: never. */
  readonly stuckAfterMs: number;
  readonly checkpointIntervalMs: number;
  /** Folder of the state, whose disk is watched. */
  readonly directory: string;
  /** Folder of the logs, which are rotated. */
  readonly logs: string;
  /** Prints a warning. */
  readonly warn: (line: string) => void;
}

/** What is watched of a run; a `FlinkRun` has it. */
export interface WatchedRun {
  readonly workers: {
    readonly counters: Readonly<Record<string, number>>;
    readonly gauges: Readonly<Record<string, number>>;
  };
  /** What a cluster reports about the job; undefined: it is in the log of the job server. */
  readonly reports?: JobReports | undefined;
}

interface Watched {
  readonly run: WatchedRun;
  readonly record: CheckpointRecorderOptions;
  /** Begins again with the first bundle. */
  progress: RunProgress;
  hasStarted: boolean;
}

/** Watches a run: counts, warns about repeated failures and a full disk, notices when it is stuck, and serves metrics. */
export class RunMonitor {
  /** Rejects with a {@link PipelineStuckError}; never resolves. */
  readonly stuck: Promise<never>;
  private rejectStuck!: (error: PipelineStuckError) => void;
  private readonly clock = new ClockSteps();
  private readonly failures: RepeatedFailures;
  private readonly jobServerLog: LogFollower;
  private readonly jobServerEvents: JobServerLog;
  private readonly timer: NodeJS.Timeout;
  private server: MonitorServer | undefined;
  private watched: Watched | undefined;
  /** From the log of the job server. */
  private loggedRestarts = 0;
  private loggedFailedCheckpoints = 0;
  /** Failed checkpoints of a cluster that were reported as failures. */
  private reportedFailures = 0;
  private stateBytes: number | undefined;
  private diskProblem: string | undefined;

  private constructor(private readonly options: RunMonitorOptions) {
    const { logs, warn } = options;
    this.failures = new RepeatedFailures(warn);
    this.rotateLogs();
    this.jobServerLog = new LogFollower(path.join(logs, "job-server.log"));
    this.jobServerEvents = new JobServerLog({
      onRestart: () => this.loggedRestarts++,
      onFailedCheckpoint: (error) => {
        this.loggedFailedCheckpoints++;
        this.failures.report({ what: "a checkpoint", error });
      },
    });
    this.stuck = new Promise((_, reject) => (this.rejectStuck = reject));
    this.stuck.catch(() => {}); // reported to callers that await it
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Starts the monitor and its HTTP server. When the port is not free, it warns and serves nothing. */
  static async start(options: RunMonitorOptions): Promise<RunMonitor> {
    const monitor = new RunMonitor(options);
    const { host, port, warn } = options;
    if (port === undefined) return monitor;
    try {
      const metrics = runMetrics(() => monitor.snapshot());
      monitor.server = await MonitorServer.start({ host, port, metrics, notReady: () => monitor.notReady() });
    } catch (error) {
      warn(
        `there are no metrics and no health checks: cannot listen on ${host}:${port} (${(error as Error).message}). ` +
          "Choose another --metrics-port (METRICS_PORT), or 0 for none",
      );
    }
    return monitor;
  }

  /** `host:port` of the HTTP server; undefined when it does not run. */
  get address(): string | undefined {
    return this.server && `${this.options.host}:${this.server.port}`;
  }

  /** How often Flink has restarted the job. */
  get restarts(): number {
    return this.loggedRestarts + (this.watched?.run.reports?.restarts ?? 0);
  }

  /** Records a failure of a worker. */
  failed(failure: Failure): void {
    this.failures.report(failure);
  }

  /** Begins to watch a job. */
  watch(run: WatchedRun, record: CheckpointRecorderOptions): void {
    const { checkpoint } = this.readCheckpoint(record);
    this.watched = { run, record, progress: new RunProgress({ bundles: 0, checkpoint }), hasStarted: false };
  }

  /** For the live line: failures that go on, and the age of an old checkpoint; empty when all is well. */
  problems(): string[] {
    const age = this.watched?.progress.checkpointAgeMs ?? 0;
    const isOld = age > this.maxCheckpointAgeMs;
    return [
      ...(this.diskProblem === undefined ? [] : ["disk full"]),
      ...(isOld ? [`last checkpoint ${formatDuration(Math.round(age / 1000) * 1000)} ago`] : []),
      ...this.failures.current(),
    ];
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.server?.stop();
  }

  private bundlesOf(run: WatchedRun): number {
    return run.workers.counters["worker.bundles"] ?? 0;
  }

  private get maxCheckpointAgeMs(): number {
    return Math.max(READY_CHECKPOINT_AGE_MS, 5 * this.options.checkpointIntervalMs);
  }

  private notReady(): string | undefined {
    if (!this.watched || this.bundlesOf(this.watched.run) === 0) return "the pipeline is starting";
    const { checkpointAgeMs } = this.watched.progress;
    if (checkpointAgeMs <= this.maxCheckpointAgeMs) return undefined;
    return `no checkpoint was completed for ${Math.round(checkpointAgeMs / 1000)} s`;
  }

  private snapshot(): RunSnapshot {
    const { run, progress } = this.watched ?? {};
    return {
      counters: run?.workers.counters ?? {},
      gauges: run?.workers.gauges ?? {},
      jobRestarts: this.restarts,
      failedCheckpoints: this.loggedFailedCheckpoints + (run?.reports?.failedCheckpoints ?? 0),
      checkpointAgeMs: progress?.checkpointAgeMs,
      stateBytes: this.stateBytes,
      clockSteps: this.clock.count,
    };
  }

  /** The last checkpoint of this run, and the size of the state. */
  private readCheckpoint({ file, run }: CheckpointRecorderOptions): { checkpoint: string | undefined } {
    try {
      const point = readCheckpointRecord(file)?.restorePoint;
      if (!point) return { checkpoint: undefined };
      this.stateBytes = Object.values(point.files).reduce((sum, bytes) => sum + bytes, 0);
      return { checkpoint: point.run === run ? String(point.checkpoint) : undefined };
    } catch {
      return { checkpoint: undefined }; // a start reports what is wrong with the file
    }
  }

  private rotateLogs(): void {
    for (const name of ["workers.log", "job-server.log"]) {
      rotateLog(path.join(this.options.logs, name), LOG_ROTATION);
    }
  }

  private tick(): void {
    const { warn, stuckAfterMs, logs } = this.options;
    const stepMs = this.clock.check();
    if (stepMs !== 0)
      warn(`the clock of this machine was set ${stepMs > 0 ? "ahead" : "back"} by ${Math.abs(stepMs)} ms`);
    this.jobServerEvents.read(this.jobServerLog.read());
    this.rotateLogs();
    this.checkDisk();
    if (!this.watched) return;
    const { watched } = this;
    this.readReports(watched.run.reports);
    const bundles = this.bundlesOf(watched.run);
    const { checkpoint } = this.readCheckpoint(watched.record);
    if (!watched.hasStarted && bundles > 0) {
      watched.hasStarted = true;
      watched.progress = new RunProgress({ bundles, checkpoint });
    }
    if (watched.progress.update({ bundles, checkpoint })) this.failures.checkpointCompleted();
    if (stuckAfterMs === 0) return;
    const limitMs = watched.hasStarted ? stuckAfterMs : Math.max(stuckAfterMs, START_LIMIT_MS);
    const missing = watched.progress.stuckFor(limitMs);
    if (missing === undefined) return;
    const disk = this.diskProblem === undefined ? [] : [this.diskProblem];
    this.rejectStuck(new PipelineStuckError(missing, [...disk, ...this.failures.current()], logs));
  }

  private readReports(reports: JobReports | undefined): void {
    if (!reports || reports.failedCheckpoints === this.reportedFailures) return;
    this.reportedFailures = reports.failedCheckpoints;
    this.failures.report({ what: "a checkpoint", error: reports.lastFailure ?? "" });
  }

  private checkDisk(): void {
    const { directory, warn } = this.options;
    const before = this.diskProblem;
    this.diskProblem = diskSpaceProblem(directory, this.stateBytes ?? 0);
    if (this.diskProblem !== undefined && before === undefined) {
      warn(
        `${this.diskProblem}. Checkpoints cannot be written, so nothing is acknowledged; nothing is lost. Make room`,
      );
    }
    if (this.diskProblem === undefined && before !== undefined) warn("the disk has room again");
  }
}
