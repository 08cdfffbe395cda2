import type { EventPipelineIo } from "../../eventPipeline";
import { writeDeadLetters } from "../../io/bigquery/writeDeadLetters";
import { writeRows } from "../../io/bigquery/writeRows";
import { readFromPubSub } from "../../io/pubsub/source/readFromPubSub";

export interface FlinkIoOptions {
  readonly project: string;
  /** Id of a subscription of the project. */
  readonly subscription: string;
  /** Id of a dataset of the project, with its tables. */
  readonly dataset: string;
  /** URL of a BigQuery emulator; undefined: Google's service. */
  readonly bigqueryEndpoint: string | undefined;
  /** Interval of checkpoints; ms. */
  readonly checkpointIntervalMs: number;
  /** Folder on the worker's machine for copies of the dead letters; absolute. */
  readonly deadLetterFolder: string;
  /** Older messages do not hold back the watermark; ms. */
  readonly lateAfterMs: number;
}

/** Messages are collected for this long after the first one, because the source emits only at a self-checkpoint; ms. */
const SELF_CHECKPOINT_MS = 500;
/** Maximum wait of an idle source until its self-checkpoint, which also delays Flink's checkpoints; ms. */
const IDLE_SELF_CHECKPOINT_MS = 5000;

/** The deadline exceeds three checkpoints, after which messages are acknowledged, so that leases need no extension; s. */
function ackDeadlineSec(checkpointIntervalMs: number): number {
  return Math.min(600, Math.max(10, Math.ceil((4 * checkpointIntervalMs) / 1000)));
}

/** Sources and sinks for Flink: the project's own Pub/Sub source, and sinks that use streaming inserts of BigQuery. */
export function flinkIo(options: FlinkIoOptions): EventPipelineIo {
  const { project, subscription, dataset, bigqueryEndpoint, checkpointIntervalMs, lateAfterMs, deadLetterFolder } =
    options;
  const target = { project, dataset, endpoint: bigqueryEndpoint };
  const deadlineSec = ackDeadlineSec(checkpointIntervalMs);
  return {
    readMessages: readFromPubSub({
      project,
      subscription,
      timestampAttribute: "event_time",
      maxOutstanding: 100_000,
      ackDeadlineSec: deadlineSec,
      checkpointIntervalMs,
      watermark: {
        slackMs: 1000,
        idleMs: 2000,
        startupHoldMs: (deadlineSec + 10) * 1000,
        ignoreOlderMs: lateAfterMs,
      },
      selfCheckpointMs: SELF_CHECKPOINT_MS,
      idleSelfCheckpointMs: IDLE_SELF_CHECKPOINT_MS,
      maxPerSelfCheckpoint: 50_000,
    }),
    writeEvents: writeRows("WriteEvents", target, "events"),
    writeRollupVersions: writeRows("WriteRollupVersions", target, "daily_rollup_versions"),
    writeDeadLetters: writeDeadLetters("WriteDeadLetters", target, deadLetterFolder),
    writeAcceptedIds: writeRows("WriteAcceptedIds", target, "accepted_ids"),
  };
}
