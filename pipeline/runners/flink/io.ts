import type { EventPipelineIo } from "../../eventPipeline";
import { writeDeadLetters } from "../../io/bigquery/writeDeadLetters";
import { writeRows } from "../../io/bigquery/writeRows";
import { readFromPubSub } from "../../io/pubsub/source/readFromPubSub";

export interface FlinkIoOptions {
  readonly project: string;
  /** Id of a subscription of the project. */
  readonly subscription: string;
  /** Id of the replay subscription of the run's generation. */
  readonly replaySubscription: string;
  /** Id of a dataset of the project, with its tables. */
  readonly dataset: string;
  /** URL of a BigQuery emulator; undefined: Google's service. */
  readonly bigqueryEndpoint: string | undefined;
  /** Interval of checkpoints; ms. */
  readonly checkpointIntervalMs: number;
  /** Folder on the worker's machine for copies of the dead letters; absolute. */
  readonly deadLetterFolder: string;
  /** Events that are published at a greater age do not hold back the watermark; ms. */
  readonly lateAfterMs: number;
  /** Heap limit of a worker; MiB. */
  readonly workerMemoryMiB: number;
  /** Lease of a message: time after which the messages of a killed worker are redelivered; ms, 10,000 to 600,000. */
  readonly ackDeadlineMs: number;
  /** Number of workers, each of which is a reader of the subscription. */
  readonly parallelism: number;
}

/** Messages are collected for this long after the first one, because the source emits only at a self-checkpoint; ms. */
const SELF_CHECKPOINT_MS = 500;
/** Maximum wait of an idle source until its self-checkpoint, which also delays Flink's checkpoints; ms. */
const IDLE_SELF_CHECKPOINT_MS = 5000;

/** Maximum number of unacknowledged messages of a worker with enough memory: 10,000/s for three checkpoints of 3 s. */
const MAX_OUTSTANDING = 100_000;
/** Share of a worker's heap for the data of unacknowledged messages. */
const DATA_SHARE = 1 / 8;
/** Memory that the client needs for an unacknowledged message in addition to its data, estimated; bytes. */
const MESSAGE_OVERHEAD = 2048;

/** How much a worker may have in flight, so that a pipeline that falls behind does not exceed its memory. */
export function flowControl(workerMemoryMiB: number): { maxOutstanding: number; maxOutstandingBytes: number } {
  const maxOutstandingBytes = Math.floor(workerMemoryMiB * DATA_SHARE) * 2 ** 20;
  return {
    maxOutstanding: Math.min(MAX_OUTSTANDING, Math.floor(maxOutstandingBytes / MESSAGE_OVERHEAD)),
    maxOutstandingBytes,
  };
}

/** Sources and sinks for Flink: the project's own Pub/Sub source, and sinks that use streaming inserts of BigQuery. */
export function flinkIo(options: FlinkIoOptions): EventPipelineIo {
  const { project, subscription, replaySubscription, dataset, bigqueryEndpoint, checkpointIntervalMs, lateAfterMs } =
    options;
  const { workerMemoryMiB, ackDeadlineMs, deadLetterFolder, parallelism } = options;
  const target = { project, dataset, endpoint: bigqueryEndpoint };
  return {
    readMessages: readFromPubSub({
      project,
      subscription,
      replaySubscription,
      dataset,
      timestampAttribute: "event_time",
      ...flowControl(workerMemoryMiB),
      ackDeadlineSec: Math.ceil(ackDeadlineMs / 1000),
      checkpointIntervalMs,
      // The watermark does not wait for redeliveries after a start. An event that comes after its window has closed makes a
      // late pane, which is counted like any other; and a start would delay the sessions by the lease.
      watermark: { slackMs: 1000, idleMs: 2000, ignoreOlderMs: lateAfterMs, hasOtherReaders: parallelism > 1 },
      selfCheckpointMs: SELF_CHECKPOINT_MS,
      idleSelfCheckpointMs: IDLE_SELF_CHECKPOINT_MS,
      maxPerSelfCheckpoint: 50_000,
    }),
    writeEvents: writeRows("WriteEvents", target, "events"),
    writeRollupVersions: writeRows("WriteRollupVersions", target, "daily_rollup_versions"),
    writeRetentionVersions: writeRows("WriteRetentionVersions", target, "weekly_retention_versions"),
    writeDeadLetters: writeDeadLetters("WriteDeadLetters", target, deadLetterFolder),
    writeAcceptedIds: writeRows("WriteAcceptedIds", target, "accepted_ids"),
  };
}
