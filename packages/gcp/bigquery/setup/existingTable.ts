import type { BigQuery, TableMetadata } from "@google-cloud/bigquery";
import { undefinedIfNotFound } from "../../api/errorCode";
import { withPermission } from "../../api/permission";
import type { Table } from "../tables";

/**
 * The metadata of a table; undefined when it does not exist.
 * @throws Error that names the missing permission, or the client's error
 */
export function existingTable(bigquery: BigQuery, dataset: string, table: Table): Promise<TableMetadata | undefined> {
  const resource = `table ${dataset}.${table.name}`;
  return withPermission({ project: bigquery.projectId, permission: "bigquery.tables.get", resource }, () =>
    undefinedIfNotFound(async () => {
      const [found] = (await bigquery.dataset(dataset).table(table.name).getMetadata()) as [TableMetadata, unknown];
      return found;
    }),
  );
}
