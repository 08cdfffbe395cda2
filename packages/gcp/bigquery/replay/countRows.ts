import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery } from "../query";
import { conditionOf, eventsReference, type RowSelection } from "./selection";

/** The number of selected rows in one partition of the table `events`. */
export interface PartitionCount {
  /** The day of `received_date`; YYYY-MM-DD. */
  readonly partition: string;
  readonly rows: number;
}

/**
 * Counts the selected rows of each partition that has any, oldest first. Rows are only ever added to `events`: a partition whose
 * count is the same as before has the same rows.
 * @throws Error of the BigQuery client when the query fails
 */
export async function countRows(
  bigquery: BigQuery,
  dataset: string,
  selection: RowSelection,
): Promise<PartitionCount[]> {
  const rows = await runQuery(
    bigquery,
    `SELECT received_date, COUNT(*) AS n FROM ${eventsReference(bigquery.projectId, dataset)}
WHERE ${conditionOf(selection)} GROUP BY received_date ORDER BY received_date`,
  );
  return rows.map((row) => ({ partition: row.text("received_date"), rows: row.number("n") }));
}
