import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun } from "@eventlogger/beam";
import { eventPipeline, type EventPipelineOptions } from "../../eventPipeline";
import { SESSION_SHARDS_PER_DAY, USER_SHARDS } from "../../shards";
import { flinkIo, type FlinkIoOptions } from "./io";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";

export interface FlinkPipelineOptions extends EventPipelineOptions, FlinkIoOptions {
  /** `[local]` or `host:port`. */
  readonly flinkMaster: string;
  /** Heap limit of the job server, which runs Flink with `[local]`; as for `-Xmx`. */
  readonly heap: string;
  /** Maximum duration of a bundle; ms. */
  readonly maxBundleMs: number;
}

/** The settings that the stored state depends on. */
export function stateSettings(
  options: Pick<FlinkPipelineOptions, "project" | "subscription" | "dataset" | "sessionGapMs">,
): StateSettings {
  const { project, subscription, dataset, sessionGapMs } = options;
  return {
    project,
    subscription,
    dataset,
    sessionGapMs,
    userBuckets: USER_SHARDS,
    sessionBucketsPerDay: SESSION_SHARDS_PER_DAY,
  };
}

/**
 * Runs the event pipeline on Flink.
 * @param start result of `beginBoundRun`: the checkpoint to resume from, and where new checkpoints are recorded
 * @param onProgress called with each line of progress
 */
export async function runEventPipelineOnFlink(
  options: FlinkPipelineOptions,
  state: StateDirectory,
  start: RunStart,
  onProgress: (line: string) => void,
): Promise<FlinkRun> {
  const classpath = await ensureFlinkClasspath({ cacheDir, onProgress });
  onProgress(start.restoreFrom ? `resuming from checkpoint ${start.restoreFrom.number}` : "starting with empty state");
  const pipeline = await buildPipeline(eventPipeline(flinkIo(options), options));
  return runOnFlink(pipeline, {
    jobName: "eventlogger",
    classpath,
    workDir: state.work,
    logDir: state.logs,
    flinkMaster: options.flinkMaster,
    heap: options.heap,
    restoreFrom: start.restoreFrom?.directory,
    requireFrom: repositoryRoot,
    workerNodeArgs: [`--max-old-space-size=${options.workerMemoryMiB}`],
    checkpointingInterval: options.checkpointIntervalMs,
    checkpointRecord: start.checkpointRecord,
    maxBundleTimeMills: options.maxBundleMs,
    onProcesses: (pids) => state.recordChildren(pids),
    onWorkerExit: (id, status) =>
      onProgress(`worker ${id} ${status}; Flink starts the job again from its last checkpoint`),
  });
}
