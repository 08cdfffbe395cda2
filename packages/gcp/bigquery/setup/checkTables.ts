import type { BigQuery, TableMetadata } from "@google-cloud/bigquery";
import { allFindings, NOTHING_FOUND, type Findings } from "../../diagnostics";
import { withPermission } from "../../api/permission";
import { checkColumns, columnProblems } from "./columns";
import { tables, type Table } from "../tables";

const NOT_FOUND = 404;

async function checkTable(bigquery: BigQuery, dataset: string, table: Table): Promise<Findings> {
  const { projectId: project } = bigquery;
  const reference = `${dataset}.${table.name}`;
  const setup = "Run `eventlogger setup` with the same options first";
  const metadata = await withPermission(
    { project, permission: "bigquery.tables.get", resource: `table ${reference}` },
    async (): Promise<TableMetadata | undefined> => {
      try {
        const [found] = (await bigquery.dataset(dataset).table(table.name).getMetadata()) as [TableMetadata, unknown];
        return found;
      } catch (error) {
        if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
        throw error;
      }
    },
  );
  if (!metadata) {
    return { problems: [`There is no table ${reference} in project ${project}. ${setup}`], warnings: [] };
  }
  const problems = columnProblems(reference, checkColumns(metadata, table));
  return problems.length
    ? { problems: problems.map((problem) => `${problem}. ${setup}`), warnings: [] }
    : NOTHING_FOUND;
}

/**
 * Whether the tables are there, with the columns that the pipeline writes.
 * @throws Error that names the missing permission, errors of the client: then nothing is known
 */
export async function checkTables(bigquery: BigQuery, dataset: string): Promise<Findings> {
  return allFindings(await Promise.all(tables.map((table) => checkTable(bigquery, dataset, table))));
}
