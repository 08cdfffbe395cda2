import "../sdk";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { FINALIZER_LIMIT_VARIABLE, finalizerLimitMs } from "../patches/finalizers";
import { startWorkerPool, type WorkerPool } from "../worker/pool";
import type { Failure } from "../worker/counters";
import { JobFailedError, type Job, type JobEnd } from "../job/handle";
import {
  CHECKPOINT_RECORD_VARIABLE,
  runDirectory,
  type CheckpointRecorderOptions,
} from "./checkpoints/checkpointRecord";
import { ACCESS_TOKEN_VARIABLE, createAccessToken } from "../accessToken";
import { runsOnlyOnThisSdk, submitJob, type FlinkJobOptions } from "./job";
import { startJobServer, type JobServer } from "./jobServer";
import type { FlinkSetting, StateBackend } from "./stateBackend";

/** Options of {@link runOnFlink}. */
export interface FlinkRunnerOptions extends FlinkJobOptions {
  /** Java classpath, from `ensureFlinkClasspath`. */
  readonly classpath: string;
  /** Folder for the configuration and artifacts of this run. */
  readonly workDir: string;
  /** Folder for `job-server.log` and `workers.log`. */
  readonly logDir: string;
  /** `[local]` runs Flink inside the job server; otherwise `host:port` of the REST endpoint of a cluster. @default "[local]" */
  readonly flinkMaster?: string;
  /** Maximum heap of the job server, as for `-Xmx`. @default "1500m" */
  readonly heap?: string;
  /** Where Flink keeps state. A checkpoint can only be restored with the state backend that has written it. @default "heap" */
  readonly stateBackend?: StateBackend;
  /** Memory of embedded Flink outside the heap, as `512m`; see {@link JobServerOptions.managedMemory}. */
  readonly managedMemory?: string;
  /** Further settings of Flink; see {@link JobServerOptions.flinkConfiguration}. */
  readonly flinkConfiguration?: Readonly<Record<string, FlinkSetting>>;
  /** Folder for checkpoints; absolute. Default: Flink keeps checkpoints of at most 5 MiB in memory. */
  readonly checkpointDir?: string;
  /** Folder of the checkpoint to resume from; absolute. It is only read. */
  readonly restoreFrom?: string;
  /**
   * Records each checkpoint before the messages in it are acknowledged, and gives each run its own folder for checkpoints.
   * Replaces `checkpointDir`. Set `restoreFrom` to the folder that `checkpointToRestore` returns for the record.
   */
  readonly checkpointRecord?: CheckpointRecorderOptions;
  /** Folder from which workers resolve the registered modules. Default: the working directory. */
  readonly requireFrom?: string;
  /** Environment of the workers, added to that of this process. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Called before each start of a worker; returns further variables of its environment. If it throws, the start fails. */
  readonly workerStartEnv?: () => Readonly<Record<string, string>>;
  /** Node flags of the workers, such as `--max-old-space-size=2048`. */
  readonly workerNodeArgs?: readonly string[];
  /** Called when a worker exits unexpectedly, with its exit status as text. */
  readonly onWorkerExit?: (workerId: string, status: string) => void;
  /** Called when something has failed in a worker and is tried again. */
  readonly onWorkerFailure?: (failure: Failure) => void;
  /** Receives the pids of all processes of this run whenever they change, so that a later run can find those left behind. */
  readonly onProcesses?: (pids: readonly number[]) => void;
}

/** A pipeline that runs on Flink, with its job server and workers. */
export interface FlinkRun {
  readonly job: Job;
  readonly jobServer: JobServer;
  readonly workers: WorkerPool;
  /** Resolves when the job has ended, or the run was stopped (`CANCELLED`). Rejects when the job fails or the job server exits. */
  readonly finished: Promise<JobEnd>;
  /** Stops the job server, then the workers; their sources nack the messages that they hold. Checkpoints are kept. */
  stop(): Promise<void>;
}

/**
 * Starts a job server and a worker pool and submits the pipeline. Stops what it has started when it fails.
 * @throws NotReadyError when the job server does not start; RpcError when it rejects the pipeline
 */
export async function runOnFlink(pipeline: runnerApi.Pipeline, options: FlinkRunnerOptions): Promise<FlinkRun> {
  const record = options.checkpointRecord;
  const checkpointDir = record ? runDirectory(record.checkpoints, record.run) : options.checkpointDir;
  for (const dir of [options.workDir, options.logDir]) mkdirSync(dir, { recursive: true });
  const accessToken = runsOnlyOnThisSdk(pipeline) ? createAccessToken() : undefined;
  const workers = await startWorkerPool({
    accessToken,
    logFile: path.join(options.logDir, "workers.log"),
    requireFrom: options.requireFrom,
    env: {
      [FINALIZER_LIMIT_VARIABLE]: String(finalizerLimitMs(options.checkpointingInterval ?? 0)),
      ...options.workerEnv,
      ...(accessToken !== undefined && { [ACCESS_TOKEN_VARIABLE]: accessToken }),
      ...(record && { [CHECKPOINT_RECORD_VARIABLE]: JSON.stringify(record) }),
    },
    envOfStart: options.workerStartEnv,
    nodeArgs: options.workerNodeArgs,
    onUnexpectedExit: options.onWorkerExit,
    onFailure: options.onWorkerFailure,
    onWorkersChanged: () => reportProcesses(),
  });
  let jobServer: JobServer | undefined;
  let jobServerPid: number | undefined;
  const reportProcesses = (): void => {
    options.onProcesses?.([...(jobServerPid === undefined ? [] : [jobServerPid]), ...workers.pids]);
  };
  try {
    jobServer = await startJobServer({
      classpath: options.classpath,
      workDir: options.workDir,
      logFile: path.join(options.logDir, "job-server.log"),
      flinkMaster: options.flinkMaster,
      heap: options.heap,
      stateBackend: options.stateBackend,
      managedMemory: options.managedMemory,
      flinkConfiguration: options.flinkConfiguration,
      checkpointDir,
      restoreFrom: options.restoreFrom,
      accessToken,
      onSpawned: (pid) => {
        jobServerPid = pid;
        reportProcesses();
      },
    });
    const server = jobServer;
    const jobOptions = { fasterCopy: options.stateBackend === "rocksdb", ...options };
    const job = await submitJob(server.endpoint, workers.address, pipeline, jobOptions, accessToken);
    let stopping = false;
    const serverExited = server.process.exited.then(({ code, signal }): JobEnd => {
      job.close();
      if (stopping) return "CANCELLED";
      throw new Error(
        `The Flink job server exited (${signal ?? `exit code ${code}`}). The end of its log:\n${server.process.logTail()}`,
      );
    });
    const jobEnded = job.finished.catch(async (error: unknown) => {
      // The exit of the server is a better reason than a failed call; it may be detected a moment later.
      if (!(error instanceof JobFailedError)) await Promise.race([serverExited, setTimeout(1000)]);
      throw error;
    });
    const finished = Promise.race([jobEnded, serverExited]);
    finished.catch(() => {}); // reported to callers that await it
    return {
      job,
      jobServer: server,
      workers,
      finished,
      stop: async () => {
        stopping = true;
        // The job server first: Flink would restart a job that loses its workers.
        await server.stop(2000);
        await workers.stop(3000);
      },
    };
  } catch (error) {
    await jobServer?.stop();
    await workers.stop();
    throw error;
  }
}
