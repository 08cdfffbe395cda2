import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type Failure, type FlinkRun } from "@eventlogger/beam";
import { eventPipeline, type EventPipelineOptions, type SessionWindows } from "../../eventPipeline";
import { STATE_FORMAT } from "../../shards";
import { VERSION_FLOOR_VARIABLE, versionFloor } from "../../totals/versionNumbers";
import type { PoolsOfCluster } from "@eventlogger/beam/flink/cluster/clusterWorkers";
import { jobName, jobOfState, STATE_DIRECTORY_VARIABLE } from "./cluster";
import { flinkIo, type FlinkIoOptions } from "./io";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";
import { WORKER_NODE_ARGS } from "./workerNodeArgs";

export interface FlinkPipelineOptions
  extends Omit<EventPipelineOptions, "shardHashSecret" | "sessionWindows">, FlinkIoOptions {
  readonly sessionWindows: SessionWindows;
  /** `[local]`, or `host:port` of a cluster. */
  readonly flinkMaster: string;
  /** The worker pools of the cluster; undefined with `[local]`. */
  readonly cluster: PoolsOfCluster | undefined;
  /** Heap limit of the job server, which runs Flink with `[local]`; as for `-Xmx`. */
  readonly heap: string;
  /** Memory of RocksDB, in addition to the heap; as for `-Xmx`. */
  readonly rocksdbMemory: string;
  /** Maximum duration of a bundle; ms. */
  readonly maxBundleMs: number;
}

/** How often the counters of the copies of dead letters are read; ms. */
const CHECK_COPIES_EVERY_MS = 10_000;

/** The settings that the stored state depends on. */
export function stateSettings(
  options: Pick<
    FlinkPipelineOptions,
    "project" | "subscription" | "dataset" | "generation" | "sessionGapMs" | "timeZone" | "countBots" | "sessionWindows"
  >,
): StateSettings {
  const { project, subscription, dataset, generation = FIRST_GENERATION, sessionGapMs, timeZone = UTC_NAME } = options;
  const { sessionWindows, countBots = false } = options;
  return {
    project,
    subscription,
    dataset,
    generation,
    sessionGapMs,
    timeZone,
    countBots,
    sessionWindows,
    stateFormat: STATE_FORMAT,
  };
}

/**
 * Runs the event pipeline on Flink.
 * @param start result of `beginBoundRun`: the checkpoint to resume from, and where new checkpoints are recorded
 * @param onProgress called with each line of progress
 * @param onFailure called when something has failed in a worker and is tried again
 */
export async function runEventPipelineOnFlink(
  options: Omit<FlinkPipelineOptions, "deadLetterFolder">,
  state: StateDirectory,
  start: RunStart,
  onProgress: (line: string) => void,
  onFailure: (failure: Failure) => void,
): Promise<FlinkRun> {
  const classpath = await ensureFlinkClasspath({ cacheDir, onProgress });
  onProgress(start.restoreFrom ? `resuming from checkpoint ${start.restoreFrom.number}` : "starting with empty state");
  const { shardHashSecret } = state;
  if (shardHashSecret === undefined) throw new Error(`${state.directory} has no secret for the keys of its state`);
  const pipeline = await buildPipeline(
    eventPipeline(flinkIo({ ...options, deadLetterFolder: state.deadLetters }), { ...options, shardHashSecret }),
  );
  const { cluster } = options;
  const stateId = state.identity?.id ?? "";
  const run = await runOnFlink(pipeline, {
    jobName: cluster ? jobName(stateId) : "eventlogger",
    cluster: cluster && {
      accessToken: cluster.accessToken,
      workerPools: cluster.addresses,
      job: `${jobOfState(stateId)}${start.run}`,
      workerHeapMiB: options.workerMemoryMiB,
    },
    classpath,
    workDir: state.work,
    logDir: state.logs,
    flinkMaster: options.flinkMaster,
    heap: options.heap,
    stateBackend: start.checkpointRecord.stateBackend,
    managedMemory: options.rocksdbMemory,
    restoreFrom: start.restoreFrom?.directory,
    requireFrom: repositoryRoot,
    workerEnv: { [STATE_DIRECTORY_VARIABLE]: state.directory },
    workerStartEnv: () => ({ [VERSION_FLOOR_VARIABLE]: String(versionFloor(state.nextWorkerStart())) }),
    workerNodeArgs: [`--max-old-space-size=${options.workerMemoryMiB}`, ...WORKER_NODE_ARGS],
    parallelism: options.parallelism,
    checkpointingInterval: options.checkpointIntervalMs,
    checkpointRecord: start.checkpointRecord,
    maxBundleTimeMills: options.maxBundleMs,
    onProcesses: (pids) => state.recordChildren(pids),
    onWorkerFailure: onFailure,
    onWorkerExit: (id, status) =>
      onFailure({
        what: "a worker",
        error: `worker ${id} ${status}; Flink starts the job again from its last checkpoint`,
      }),
  });
  warnOfMissingCopies(run, state, onProgress);
  return run;
}

/** Warns when the copies of dead letters reach their limit, again for each file that is removed. */
function warnOfMissingCopies(run: FlinkRun, state: StateDirectory, onProgress: (line: string) => void): void {
  let removed = 0;
  let isFull = false;
  const check = (): void => {
    const { counters } = run.workers;
    const removedNow = counters["deadLetterCopies.removedFiles"] ?? 0;
    const isFullNow = (counters["deadLetterCopies.skipped"] ?? 0) > 0;
    const reached = `warning: the copies of dead letters in ${state.deadLetters} have reached their limit`;
    if (removedNow > removed) onProgress(`${reached}; the oldest file was removed`);
    if (isFullNow && !isFull) onProgress(`${reached}; more dead letters of today are only in BigQuery`);
    removed = removedNow;
    isFull = isFullNow;
  };
  const timer = setInterval(check, CHECK_COPIES_EVERY_MS).unref();
  void run.finished.catch(() => {}).finally(() => clearInterval(timer));
}
