import { storageWrite, type StorageWriteOptions } from "../../io/bigquery/storageWrite";
import type { EventPipelineIo } from "../../eventPipeline";
import { readFromPubSubJava, readReplayJava } from "../../io/pubsub/javaRead";

export interface DataflowIoOptions {
  readonly project: string;
  /** Id of a subscription of the project. */
  readonly subscription: string;
  /** Id of the replay subscription of the job's generation. */
  readonly replaySubscription: string;
  /** Id of a dataset of the project, with its tables. */
  readonly dataset: string;
  /**
   * Delivery guarantee for raw rows. `at-least-once` is cheaper and faster. The view `events_unique` and the rollups are
   * exact with both.
   */
  readonly eventsSemantics: StorageWriteOptions["semantics"];
}

/** Interval of commits of exactly-once writes; s. */
const COMMIT_EVERY_SEC = 5;

/**
 * Sources and sinks for Dataflow, in Java: the Pub/Sub source, which the service replaces with its own, and sinks that use
 * the BigQuery Storage Write API.
 *
 * @param expansionAddress `host:port` of a Java expansion service
 */
export function dataflowIo(options: DataflowIoOptions, expansionAddress: string): EventPipelineIo {
  const { project, subscription, replaySubscription, dataset, eventsSemantics } = options;
  const target = { project, dataset };
  const exactlyOnce = {
    expansionAddress,
    semantics: "exactly-once",
    triggeringFrequencySec: COMMIT_EVERY_SEC,
  } as const;
  const atLeastOnce = { expansionAddress, semantics: "at-least-once" } as const;
  return {
    readMessages: readFromPubSubJava({
      project,
      subscription,
      timestampAttribute: "event_time",
      idAttribute: "event_id",
      expansionAddress,
    }),
    readReplay: readReplayJava({ project, subscription: replaySubscription, dataset, expansionAddress }),
    writeEvents: storageWrite(
      "WriteEvents",
      { ...target, table: "events" },
      eventsSemantics === "exactly-once" ? exactlyOnce : atLeastOnce,
    ),
    // A few rows per second at any rate of events, so one stream is enough.
    writeRollupVersions: storageWrite(
      "WriteRollupVersions",
      { ...target, table: "daily_rollup_versions" },
      { ...exactlyOnce, numStreams: 1 },
    ),
    writeRetentionVersions: storageWrite(
      "WriteRetentionVersions",
      { ...target, table: "weekly_retention_versions" },
      { ...exactlyOnce, numStreams: 1 },
    ),
    writeDeadLetters: storageWrite("WriteDeadLetters", { ...target, table: "dead_letters" }, atLeastOnce),
    // The rows are sets, so that a repeated row changes nothing.
    writeAcceptedIds: storageWrite("WriteAcceptedIds", { ...target, table: "accepted_ids" }, atLeastOnce),
  };
}
