import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun } from "@eventlogger/beam";
import { writeRows } from "../../io/bigquery/writeRows";
import { eventPipeline, type EventPipelineOptions } from "../../eventPipeline";
import { readFromPubSub } from "../../io/pubsub/source/readFromPubSub";
import { SESSION_SHARDS_PER_DAY, USER_SHARDS } from "../../shards";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";

export interface FlinkPipelineOptions extends EventPipelineOptions {
  readonly project: string;
  readonly subscription: string;
  readonly dataset: string;
  readonly bigqueryEndpoint: string | undefined;
  /** `[local]` or `host:port`. */
  readonly flinkMaster: string;
  /** Heap limit of the job server, in which Flink runs when it is `[local]`; as for `-Xmx`. */
  readonly heap: string;
  /** Heap limit of a worker; MiB. */
  readonly workerMemoryMiB: number;
  readonly checkpointIntervalMs: number;
  /** Open bundles end after this; ms. */
  readonly maxBundleMs: number;
}

/** A slice collects this long after its first message: output leaves the source only at the end of a slice. */
const SLICE_MS = 500;
/** An idle slice waits this long; checkpoints wait with it. */
const IDLE_SLICE_MS = 5000;

/** What the state of a pipeline with these options depends on. */
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
 * Runs the event pipeline on Flink, with the ends for it: our own Pub/Sub source, BigQuery by streaming inserts.
 * @param start from `beginBoundRun`: the checkpoint to resume from, and where to record new ones
 */
export async function runEventPipelineOnFlink(
  options: FlinkPipelineOptions,
  state: StateDirectory,
  start: RunStart,
  onProgress: (line: string) => void,
): Promise<FlinkRun> {
  const { project, subscription, dataset, bigqueryEndpoint, checkpointIntervalMs } = options;
  const classpath = await ensureFlinkClasspath({ cacheDir, onProgress });
  onProgress(start.restoreFrom ? `resuming from checkpoint ${start.restoreFrom.number}` : "starting with empty state");
  // Longer than three checkpoints, after which messages are acknowledged: leases then need no extension.
  const ackDeadlineSec = Math.min(600, Math.max(10, Math.ceil((4 * checkpointIntervalMs) / 1000)));
  const target = { project, dataset, endpoint: bigqueryEndpoint };
  const pipeline = await buildPipeline(
    eventPipeline(
      {
        readMessages: readFromPubSub({
          project,
          subscription,
          timestampAttribute: "event_time",
          maxOutstanding: 100_000,
          ackDeadlineSec,
          checkpointIntervalMs,
          watermark: {
            slackMs: 1000,
            idleMs: 2000,
            startupHoldMs: (ackDeadlineSec + 10) * 1000,
            ignoreOlderMs: options.lateAfterMs,
          },
          selfCheckpointMs: SLICE_MS,
          idleSelfCheckpointMs: IDLE_SLICE_MS,
          maxPerSelfCheckpoint: 50_000,
        }),
        writeEvents: writeRows("WriteEvents", target, "events"),
        writeRollupVersions: writeRows("WriteRollupVersions", target, "daily_rollup_versions"),
        writeDeadLetters: writeRows("WriteDeadLetters", target, "dead_letters"),
      },
      options,
    ),
  );
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
    checkpointingInterval: checkpointIntervalMs,
    checkpointRecord: start.checkpointRecord,
    maxBundleTimeMills: options.maxBundleMs,
    onProcesses: (pids) => state.recordChildren(pids),
    onWorkerExit: (id, status) =>
      onProgress(`worker ${id} ${status}; Flink starts the job again from its last checkpoint`),
  });
}
