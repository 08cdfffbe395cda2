import type { BigQuery } from "@google-cloud/bigquery";
import {
  activateGeneration,
  changeGenerations,
  createGeneration,
  generationsReference,
  queryGenerations,
  readGenerations,
  retireGeneration,
} from "@eventlogger/gcp/bigquery/generations";
import type { GenerationStore } from "../services";

/** The table `generations` of a dataset. */
export function bigQueryStore(bigquery: BigQuery, dataset: string): GenerationStore {
  return {
    list: () => readGenerations(bigquery, dataset),
    async now() {
      const [row] = await queryGenerations(bigquery, dataset, "SELECT UNIX_MILLIS(CURRENT_TIMESTAMP()) AS now");
      if (!row) throw new Error("BigQuery did not report its time");
      return row.number("now");
    },
    create: (settings, resources, record) =>
      createGeneration(bigquery, dataset, { settings, resources, rebuild: record }),
    async replace(generation, before, after) {
      const changed = await changeGenerations(
        bigquery,
        dataset,
        `UPDATE ${generationsReference(bigquery, dataset)} SET rebuild = ${after === null ? "NULL" : "@after"}
         WHERE generation = @generation AND rebuild = @before`,
        {
          generation,
          before: JSON.stringify(before),
          ...(after !== null && { after: JSON.stringify(after) }),
        },
      );
      return changed > 0;
    },
    activate: (generation, options) => activateGeneration(bigquery, dataset, generation, options),
    retire: (generation) => retireGeneration(bigquery, dataset, generation),
  };
}
