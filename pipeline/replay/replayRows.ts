import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import { countRows, type PartitionCount } from "@eventlogger/gcp/bigquery/replay/countRows";
import { MAX_QUERY_ROWS, readRows, type ReadOptions } from "@eventlogger/gcp/bigquery/replay/readRows";
import type { RowSelection } from "@eventlogger/gcp/bigquery/replay/selection";
import { ReplayPublisher } from "./replayPublisher";

/** What has been replayed so far. */
export interface ReplayProgress {
  /** The partition that is read; YYYY-MM-DD. */
  readonly partition: string;
  /** Rows whose messages Pub/Sub has acknowledged. */
  readonly rows: number;
}

export interface ReplayRequest {
  readonly bigquery: BigQuery;
  readonly dataset: string;
  readonly pubsub: PubSub;
  /** The replay topic of the generation. */
  readonly topic: string;
  readonly generation: number;
  /** The rows; see {@link RowSelection}. */
  readonly rows: RowSelection;
  /** The partitions of the rows with their counts, when the caller has them; by default they are counted. */
  readonly counts?: readonly PartitionCount[];
  /** Events per second; 0: as fast as possible. @default 0 */
  readonly rate?: number;
  /** See `ReadOptions`. */
  readonly reading?: Pick<ReadOptions, "maxQueryRows" | "pageRows">;
  /** Ends the replay; it rejects with the reason. */
  readonly signal?: AbortSignal;
  /** Called after each acknowledged message. */
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** Called when all rows of a partition are acknowledged, before the next partition is read. */
  readonly onPartition?: (count: PartitionCount) => void | Promise<void>;
}

export interface ReplayResult {
  /** Number of rows that were published, by partition. Compare it with `countRows` later: partitions that have gained rows differ. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly rows: number;
  /** Bytes that BigQuery has read, which it charges; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
}

/**
 * Time after which the result of a query should have been read, s. BigQuery keeps it for about a day
 * (https://cloud.google.com/bigquery/docs/cached-results).
 */
const RESULT_SEC = 12 * 3600;

/** A slow replay reads a partition in several queries, so that no result expires before its last page is read. */
function queryRows(rate: number): number {
  return rate > 0 ? Math.min(MAX_QUERY_ROWS, Math.ceil(rate * RESULT_SEC)) : MAX_QUERY_ROWS;
}

/**
 * Publishes rows of the table `events` to the replay topic of a generation, one partition after the other. The pipeline of the
 * generation counts them in its ledgers, which changes nothing for events that it has counted already. Memory does not depend on
 * the number of rows.
 * @throws the reason of the signal; Error of BigQuery or Pub/Sub. Partitions that were reported by `onPartition` are complete.
 */
export async function replayRows(request: ReplayRequest): Promise<ReplayResult> {
  const { bigquery, dataset, pubsub, topic, generation, rows: selection, rate = 0, signal } = request;
  const { onProgress, onPartition, reading } = request;
  const counts = request.counts ?? (await countRows(bigquery, dataset, selection));
  const partitions = new Map<string, number>();
  let rows = 0;
  let bytes = 0;
  let partition = "";
  const publisher = new ReplayPublisher({
    ...{ pubsub, topic, generation, dataset, rate, signal },
    onPublished: (events) => {
      rows += events;
      onProgress?.({ partition, rows });
    },
  });
  try {
    for (const count of counts) {
      signal?.throwIfAborted();
      partition = count.partition;
      let read = 0;
      const pages = readRows(
        bigquery,
        dataset,
        { ...selection, partitions: [partition] },
        {
          maxQueryRows: queryRows(rate),
          ...reading,
          rows: count.rows,
          signal,
          onBytesScanned: (scanned) => (bytes += scanned),
        },
      );
      for await (const events of pages) {
        for (const event of events) await publisher.add(event);
        read += events.length;
      }
      await publisher.flush();
      partitions.set(partition, read);
      await onPartition?.({ partition, rows: read });
    }
  } finally {
    await publisher.settle();
  }
  return { partitions, rows, bytesScanned: bytes > 0 ? bytes : undefined };
}
