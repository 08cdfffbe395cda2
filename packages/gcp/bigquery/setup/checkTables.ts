import type { BigQuery } from "@google-cloud/bigquery";
import { mergeDiagnostics, NO_DIAGNOSTICS, problem, type Diagnostics } from "../../diagnostics";
import { checkColumns, columnProblems, generationRemedy, partitioningProblem, REPARTITION } from "./columns";
import { existingTable } from "./existingTable";
import { tables, type Table } from "../tables";

async function checkTable(bigquery: BigQuery, dataset: string, table: Table): Promise<Diagnostics> {
  const { projectId: project } = bigquery;
  const reference = `${dataset}.${table.name}`;
  const setup = "Run `eventlogger setup` with the same options first";
  const metadata = await existingTable(bigquery, dataset, table);
  if (!metadata) return problem(`Table ${reference} does not exist in project ${project}. ${setup}`);
  const check = checkColumns(metadata, table);
  const columns = columnProblems(reference, check);
  const partitioning = partitioningProblem(reference, metadata, table);
  const todo = partitioning === undefined ? (generationRemedy(dataset, table, check) ?? setup) : REPARTITION;
  const problems = [...columns, ...(partitioning === undefined ? [] : [partitioning])];
  return problems.length ? { problems: problems.map((text) => `${text}. ${todo}`), warnings: [] } : NO_DIAGNOSTICS;
}

/**
 * Checks that the tables exist, have the columns that the pipeline writes, and are not partitioned as in an earlier release.
 * @throws Error that names the missing permission, or the client's error: then the check has no result
 */
export async function checkTables(bigquery: BigQuery, dataset: string): Promise<Diagnostics> {
  return mergeDiagnostics(await Promise.all(tables.map((table) => checkTable(bigquery, dataset, table))));
}
