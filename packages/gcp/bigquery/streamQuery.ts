import type { BigQuery } from "@google-cloud/bigquery";
import { ResultRow } from "./query";

/** Named parameters. A list must not be empty. */
export type StreamQueryParameters = Readonly<Record<string, string | number | readonly string[]>>;

/**
 * Runs a query and yields its rows while they are read, for results that do not fit into memory.
 * @throws Error of the BigQuery client when the query is rejected or fails
 */
export async function* streamQuery(
  bigquery: BigQuery,
  query: string,
  params: StreamQueryParameters = {},
): AsyncGenerator<ResultRow> {
  const [job] = await bigquery.createQueryJob({
    query,
    ...(Object.keys(params).length ? { params: { ...params } } : {}),
  });
  for await (const row of job.getQueryResultsStream()) yield new ResultRow(row as Record<string, unknown>);
}
