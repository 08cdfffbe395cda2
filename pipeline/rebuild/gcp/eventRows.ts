import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import { countRows } from "@eventlogger/gcp/bigquery/replay/countRows";
import { readHorizon } from "@eventlogger/gcp/bigquery/retention/horizon";
import { replayRows } from "../../replay/replayRows";
import type { EventRows } from "../services";

/** The table `events`. @param rate events per second; 0: as fast as possible */
export function eventRows(bigquery: BigQuery, dataset: string, pubsub: PubSub, rate: number): EventRows {
  return {
    horizon: (timeZone) => readHorizon(bigquery, dataset, timeZone),
    count: (selection) => countRows(bigquery, dataset, selection),
    async replay({ generation, partitions, signal, onRows, onPartition }) {
      const { replayTopic } = generation;
      if (replayTopic === null) throw new Error(`The replay topic of generation ${generation.generation} is unknown`);
      let reported = 0;
      await replayRows({
        ...{ bigquery, dataset, pubsub, rate, signal },
        topic: replayTopic,
        generation: generation.generation,
        rows: { partitions: partitions.map(({ partition }) => partition) },
        counts: partitions,
        onProgress: ({ rows }) => {
          onRows(rows - reported);
          reported = rows;
        },
        onPartition: ({ partition }) => onPartition(partition),
      });
    },
  };
}
