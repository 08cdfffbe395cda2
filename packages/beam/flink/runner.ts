import "../sdk";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { FINALIZER_LIMIT_VARIABLE, finalizerLimitMs } from "../patches/finalizers";
import { startWorkerPool } from "../worker/pool";
import { encodeStartParameters, registeredModules } from "../worker/startParameters";
import type { Failure } from "../worker/counters";
import { log } from "../worker/log";
import { JobFailedError, type Job, type JobEnd } from "../job/handle";
import {
  CHECKPOINT_RECORD_VARIABLE,
  runDirectory,
  type CheckpointRecorderOptions,
} from "./checkpoints/checkpointRecord";
import { ACCESS_TOKEN_VARIABLE, createAccessToken } from "../accessToken";
import { ClusterWorkers, DEFAULT_POOL_PORT } from "./cluster/clusterWorkers";
import { WatchedJob, type JobReports } from "./cluster/jobReports";
import { FlinkRest } from "./cluster/flinkRest";
import { runsOnlyOnThisSdk, submitJob, type FlinkJobOptions, type JobPool } from "./job";
import { EMBEDDED, startJobServer, type JobServer } from "./jobServer";
import type { FlinkSetting, StateBackend } from "./stateBackend";

/** What a job on a cluster needs besides the address of the cluster. */
export interface ClusterOptions {
  /** The access token of the TaskManagers and the worker pools; see `readAccessToken`. */
  readonly accessToken: string;
  /** `host:port` of each worker pool. Default: port 50000 of the host of each TaskManager. */
  readonly workerPools?: readonly string[] | undefined;
  /** Identifies this run in the worker pools. */
  readonly job: string;
  /** Heap limit of each worker, MiB. Default: that of Node. */
  readonly workerHeapMiB?: number;
}

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
  /** Required with a cluster. `jobName` must then be unique in the cluster: it identifies the job when it is cancelled. */
  readonly cluster?: ClusterOptions;
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
  /** Environment of the workers, added to that of this process, or on a cluster to that of their pool. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /**
   * Called before each start of a worker; returns further variables of its environment. If it throws, the start fails. On a
   * cluster the worker pools do that.
   */
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

/** The workers of a run: of its own pool, or of the pools of a cluster. */
export interface RunWorkers {
  /** Process ids of the workers on this machine. */
  readonly pids: readonly number[];
  /** The sums of the counters of all workers, including those that have exited; see `count`. */
  readonly counters: Readonly<Record<string, number>>;
  /** The gauges of the running workers; the highest value of each. See `gaugeFrom`. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Number of workers that have exited unexpectedly. */
  readonly unexpectedExits: number;
  /** Stops the workers, unless they belong to a cluster. */
  stop(graceMs?: number): Promise<void>;
}

/** Time for a cancelled job of a cluster to end; ms. */
const CANCEL_LIMIT_MS = 60_000;

/** A pipeline that runs on Flink, with its job server and workers. */
export interface FlinkRun {
  readonly job: Job;
  readonly jobServer: JobServer;
  readonly workers: RunWorkers;
  /** What the JobManager of a cluster reports about the job; undefined with embedded Flink, whose log has it. */
  readonly reports: JobReports | undefined;
  /** `host:port` of the worker pool that the pipeline names. */
  readonly poolAddress: string;
  /** Resolves when the job has ended, or the run was stopped (`CANCELLED`). Rejects when the job fails or the job server exits. */
  readonly finished: Promise<JobEnd>;
  /**
   * Stops the job server, then the workers; their sources nack the messages that they hold. On a cluster, cancels the job
   * first. Checkpoints are kept.
   */
  stop(): Promise<void>;
}

interface StartedWorkers {
  readonly workers: RunWorkers;
  readonly pool: JobPool;
  /** Only on a cluster. */
  readonly reports?: WatchedJob;
}

/** The environment of every worker of the run, whatever machine it runs on. */
function workerEnvOf({
  workerEnv,
  checkpointRecord,
  checkpointingInterval,
}: FlinkRunnerOptions): Record<string, string> {
  return {
    [FINALIZER_LIMIT_VARIABLE]: String(finalizerLimitMs(checkpointingInterval ?? 0)),
    ...workerEnv,
    ...(checkpointRecord && { [CHECKPOINT_RECORD_VARIABLE]: JSON.stringify(checkpointRecord) }),
  };
}

/** Starts a pool on this machine. */
async function startOwnPool(
  options: FlinkRunnerOptions,
  onChanged: () => void,
  token?: string,
): Promise<StartedWorkers> {
  const pool = await startWorkerPool({
    accessToken: token,
    logFile: path.join(options.logDir, "workers.log"),
    requireFrom: options.requireFrom,
    env: { ...workerEnvOf(options), ...(token !== undefined && { [ACCESS_TOKEN_VARIABLE]: token }) },
    envOfStart: options.workerStartEnv,
    nodeArgs: options.workerNodeArgs,
    onUnexpectedExit: options.onWorkerExit,
    onFailure: options.onWorkerFailure,
    onWorkersChanged: onChanged,
  });
  const parameters = encodeStartParameters({ job: options.jobName, modules: [], env: {}, heapMiB: undefined });
  return { workers: pool, pool: { address: pool.address, accessToken: token, parameters } };
}

/** Watches the pools of a cluster. */
function watchCluster(options: FlinkRunnerOptions, rest: FlinkRest, cluster: ClusterOptions): StartedWorkers {
  const { accessToken, workerPools: addresses, job, workerHeapMiB: heapMiB } = cluster;
  const workers = ClusterWorkers.start({ rest, addresses, accessToken, job, onFailure: options.onWorkerFailure });
  const parameters = encodeStartParameters({ job, modules: registeredModules(), env: workerEnvOf(options), heapMiB });
  // TaskManagers that share a machine have BEAM_WORKER_POOL instead.
  const pool = { address: `127.0.0.1:${DEFAULT_POOL_PORT}`, accessToken, parameters };
  return { workers, pool, reports: WatchedJob.start(rest, options.jobName) };
}

/**
 * Starts a job server and, unless there is a cluster, a worker pool, and submits the pipeline. Stops what it has started when
 * it fails.
 * @throws NotReadyError when the job server does not start; RpcError when it rejects the pipeline
 */
export async function runOnFlink(pipeline: runnerApi.Pipeline, options: FlinkRunnerOptions): Promise<FlinkRun> {
  const record = options.checkpointRecord;
  const checkpointDir = record ? runDirectory(record.checkpoints, record.run) : options.checkpointDir;
  for (const dir of [options.workDir, options.logDir]) mkdirSync(dir, { recursive: true });
  const { flinkMaster = EMBEDDED, cluster } = options;
  const isCluster = flinkMaster !== EMBEDDED;
  if (isCluster && !cluster) throw new TypeError("The option cluster is required with a Flink cluster");
  const rest = new FlinkRest(flinkMaster);
  const accessToken = isCluster || runsOnlyOnThisSdk(pipeline) ? createAccessToken() : undefined;
  const { workers, pool, reports } =
    isCluster && cluster
      ? watchCluster(options, rest, cluster)
      : await startOwnPool(options, () => reportProcesses(), accessToken);
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
      restoreFrom: isCluster ? undefined : options.restoreFrom,
      accessToken,
      onSpawned: (pid) => {
        jobServerPid = pid;
        reportProcesses();
      },
    });
    const server = jobServer;
    const jobOptions = {
      fasterCopy: options.stateBackend === "rocksdb",
      ...options,
      savepointPath: isCluster ? options.restoreFrom : undefined,
    };
    const job = await submitJob(server.endpoint, pool, pipeline, jobOptions, accessToken);
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
      reports,
      poolAddress: pool.address,
      finished,
      stop: async () => {
        stopping = true;
        reports?.stop();
        // A job on a cluster does not end with its job server. Its workers nack their messages when it ends.
        if (isCluster) await cancelOnCluster(rest, options.jobName);
        // The job server first: Flink would restart a job that loses its workers.
        await server.stop(2000);
        await workers.stop(3000);
      },
    };
  } catch (error) {
    reports?.stop();
    if (isCluster && jobServer) await cancelOnCluster(rest, options.jobName);
    await jobServer?.stop();
    await workers.stop();
    throw error;
  }
}

/** Cancels the job. When that fails, the next run of the same job does it. */
async function cancelOnCluster(rest: FlinkRest, jobName: string): Promise<void> {
  await rest.cancelJobs(jobName, CANCEL_LIMIT_MS).catch((error: unknown) => {
    log.warn(`Could not cancel the job: ${(error as Error).message}`);
  });
}
