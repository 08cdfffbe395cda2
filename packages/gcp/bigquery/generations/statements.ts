import type { BigQuery } from "@google-cloud/bigquery";
import { withPermission } from "../../api/permission";
import { retryConflicts } from "../conflicts";
import { runChange, runQuery, type ResultRow } from "../query";
import { generationsTable } from "../tables";
import { tableReference } from "../views";

/** The quoted, fully qualified name of the table `generations`, for SQL. */
export function generationsReference(bigquery: BigQuery, dataset: string): string {
  return tableReference(bigquery.projectId, dataset, generationsTable.name);
}

function withUpdatePermission<T>(bigquery: BigQuery, dataset: string, call: () => Promise<T>): Promise<T> {
  const need = {
    project: bigquery.projectId,
    permission: "bigquery.jobs.create or bigquery.tables.updateData",
    resource: `table ${dataset}.${generationsTable.name}`,
  };
  return withPermission(need, call);
}

type Params = Readonly<Record<string, string | number>>;

/** Runs a query of the table `generations`. @throws Error that names the missing permission, or the client's error */
export function queryGenerations(
  bigquery: BigQuery,
  dataset: string,
  sql: string,
  params?: Params,
): Promise<ResultRow[]> {
  return withUpdatePermission(bigquery, dataset, () => runQuery(bigquery, sql, params));
}

/**
 * Runs a statement that changes the table `generations`; again when it conflicts with another one.
 * @returns the number of changed rows
 * @throws Error that names the missing permission, or the client's error
 */
export function changeGenerations(bigquery: BigQuery, dataset: string, sql: string, params?: Params): Promise<number> {
  return retryConflicts(() => withUpdatePermission(bigquery, dataset, () => runChange(bigquery, sql, params)));
}
