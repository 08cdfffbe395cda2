import { storageWrite, type StorageWriteOptions } from "../../io/bigquery/storageWrite";
import type { EventPipelineIo } from "../../eventPipeline";
import { readFromPubSubJava } from "../../io/pubsub/javaRead";

export interface DataflowEndsOptions {
  readonly project: string;
  /** Id of a subscription of the project. */
  readonly subscription: string;
  /** Id of a dataset of the project, with its tables. */
  readonly dataset: string;
  /**
   * How raw rows are written. `at-least-once` is cheaper and faster; the view `events_unique` is right with both, and so
   * are the rollups.
   */
  readonly eventsSemantics: StorageWriteOptions["semantics"];
}

/** Commits of exactly-once writes come this often; s. */
const COMMIT_EVERY_SEC = 5;

/**
 * The ends for Dataflow, in Java: the Pub/Sub source, which the service replaces by its own, and the BigQuery Storage
 * Write API.
 *
 * @param expansionAddress `host:port` of a Java expansion service
 */
export function dataflowEnds(options: DataflowEndsOptions, expansionAddress: string): EventPipelineIo {
  const { project, subscription, dataset, eventsSemantics } = options;
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
    writeEvents: storageWrite(
      "WriteEvents",
      { ...target, table: "events" },
      eventsSemantics === "exactly-once" ? exactlyOnce : atLeastOnce,
    ),
    // A few rows a second, however many events there are.
    writeRollupVersions: storageWrite(
      "WriteRollupVersions",
      { ...target, table: "daily_rollup_versions" },
      { ...exactlyOnce, numStreams: 1 },
    ),
    writeDeadLetters: storageWrite("WriteDeadLetters", { ...target, table: "dead_letters" }, atLeastOnce),
  };
}
