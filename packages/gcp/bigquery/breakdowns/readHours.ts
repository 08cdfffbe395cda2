import type { BigQuery } from "@google-cloud/bigquery";
import type { Hours } from "./breakdown";

/**
 * Reads the numbers of each hour of a day.
 * @param date YYYY-MM-DD; undefined: today in the time zone of the active generation
 * @throws Error of the BigQuery client when the query fails
 */
export function readHours(bigquery: BigQuery, dataset: string, date: string | undefined): Promise<Hours> {
  return Promise.reject(new Error(`not built yet: ${bigquery.projectId} ${dataset} ${date}`));
}
