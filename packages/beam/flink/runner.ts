import "../sdk";
import { mkdirSync } from "node:fs";
import path = require("node:path");
import { setTimeout } from "node:timers/promises";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { startWorkerPool, type WorkerPool } from "../worker/pool";
import { JobFailedError, type Job } from "../job";
import { CHECKPOINT_RECORD_VARIABLE, runDirectory, type CheckpointRecorderOptions } from "./checkpointRecord";
import { submitJob, type FlinkJobOptions } from "./job";
import { startJobServer, type JobServer } from "./jobServer";

export interface FlinkRunnerOptions extends FlinkJobOptions {
  readonly classpath: string;
  /** Folder for configuration and artifacts of this run. */
  readonly workDir: string;
  /** Folder for `job-server.log` and `workers.log`. */
  readonly logDir: string;
  readonly flinkMaster?: string;
  readonly heap?: string;
  /** Checkpoint folder to go on from. */
  readonly restoreFrom?: string;
  /**
   * Records each checkpoint before what it holds is acknowledged, and keeps the checkpoints of each run in a folder of its
   * own; instead of `checkpointDir`. `restoreFrom` is then what `checkpointToRestore` gives for the record.
   */
  readonly checkpointRecord?: CheckpointRecorderOptions;
  /** Folder from which the registered modules resolve; default: the working directory. */
  readonly requireFrom?: string;
  readonly workerEnv?: Readonly<Record<string, string>>;
  readonly workerNodeArgs?: readonly string[];
  readonly onWorkerExit?: (workerId: string, status: string) => void;
  /** Told the pids of the processes of this run whenever they change, so that they can be found after a kill. */
  readonly onProcesses?: (pids: readonly number[]) => void;
}

/** A pipeline that runs on Flink, with its job server and its workers. */
export interface FlinkRun {
  readonly job: Job;
  readonly jobServer: JobServer;
  readonly workers: WorkerPool;
  /** Rejects when the job fails or the job server ends; resolves when the job is done. */
  readonly finished: Promise<void>;
  /** Stops the job server, then the workers, whose sources give back what they hold. Checkpoints stay. */
  stop(): Promise<void>;
}

/** Starts job server and worker pool and submits the pipeline. What it started is stopped again when it fails. */
export async function runOnFlink(pipeline: runnerApi.Pipeline, options: FlinkRunnerOptions): Promise<FlinkRun> {
  const record = options.checkpointRecord;
  const checkpointDir = record ? runDirectory(record.checkpoints, record.run) : options.checkpointDir;
  for (const dir of [options.workDir, options.logDir]) mkdirSync(dir, { recursive: true });
  const workers = await startWorkerPool({
    logFile: path.join(options.logDir, "workers.log"),
    requireFrom: options.requireFrom,
    env: {
      ...options.workerEnv,
      ...(record && { [CHECKPOINT_RECORD_VARIABLE]: JSON.stringify(record) }),
    },
    nodeArgs: options.workerNodeArgs,
    onUnexpectedExit: options.onWorkerExit,
    onWorkersChanged: () => tellProcesses(),
  });
  let jobServer: JobServer | undefined;
  let jobServerPid: number | undefined;
  const tellProcesses = (): void => {
    options.onProcesses?.([...(jobServerPid === undefined ? [] : [jobServerPid]), ...workers.pids]);
  };
  try {
    jobServer = await startJobServer({
      classpath: options.classpath,
      workDir: options.workDir,
      logFile: path.join(options.logDir, "job-server.log"),
      flinkMaster: options.flinkMaster,
      heap: options.heap,
      restoreFrom: options.restoreFrom,
      onSpawned: (pid) => {
        jobServerPid = pid;
        tellProcesses();
      },
    });
    const server = jobServer;
    const job = await submitJob(server.endpoint, workers.address, pipeline, { ...options, checkpointDir });
    let stopping = false;
    const serverEnded = server.process.exited.then(({ code, signal }) => {
      if (stopping) return;
      throw new Error(
        `The Flink job server ended (${signal ?? `exit code ${code}`}). The end of its log:\n${server.process.logTail()}`,
      );
    });
    const jobEnded = job.finished.catch(async (error: unknown) => {
      // A call that failed tells less than the end of the server, which may be noticed a moment later.
      if (!(error instanceof JobFailedError)) await Promise.race([serverEnded, setTimeout(1000)]);
      throw error;
    });
    const finished = Promise.race([jobEnded, serverEnded]);
    finished.catch(() => {}); // whoever cares awaits it
    return {
      job,
      jobServer: server,
      workers,
      finished,
      stop: async () => {
        stopping = true;
        // The job first: a job whose worker goes away would be started again.
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
