import type { BigQuery } from "@google-cloud/bigquery";
import type { DayRange } from "../dailyRollups";
import type { Breakdown } from "./breakdown";

export interface BreakdownRequest {
  /** Such as `country` or `properties.plan`. */
  readonly dimension: string;
  readonly range: DayRange;
  /** Number of values that are listed, from 1. */
  readonly limit: number;
}

/**
 * Reads the values of a dimension with most events in a range of days, and exact numbers of all others together. Without values when the
 * dimension is not one of `dimensions`.
 * @throws Error of the BigQuery client when the query fails
 */
export function readBreakdown(bigquery: BigQuery, dataset: string, request: BreakdownRequest): Promise<Breakdown> {
  return Promise.reject(new Error(`not built yet: ${bigquery.projectId} ${dataset} ${request.dimension}`));
}
