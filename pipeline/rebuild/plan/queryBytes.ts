import type { BigQuery, JobMetadata } from "@google-cloud/bigquery";
import { conditionOf, eventsReference, type RowSelection } from "@eventlogger/gcp/bigquery/replay/selection";

/**
 * Bytes that the queries of a rebuild read: that of the replay, and one comparison with the raw rows.
 * @returns undefined when BigQuery does not report them, as emulators
 */
export async function queryBytes(
  bigquery: BigQuery,
  dataset: string,
  selection: RowSelection,
): Promise<number | undefined> {
  const events = eventsReference(bigquery.projectId, dataset);
  const columns = [
    `event_id, session_id, event_name, event_time, user_id, received_at FROM ${events} WHERE ${conditionOf(selection)}`,
    `session_id, user_id, event_time FROM ${events}`,
  ];
  let bytes = 0;
  for (const selected of columns) {
    const [job] = await bigquery.createQueryJob({ query: `SELECT ${selected}`, dryRun: true });
    const { statistics } = job.metadata as JobMetadata;
    bytes += Number(statistics?.totalBytesProcessed ?? statistics?.query?.totalBytesProcessed ?? 0);
  }
  return bytes > 0 ? bytes : undefined;
}
