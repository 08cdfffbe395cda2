import type { BigQuery } from "@google-cloud/bigquery";

export interface RefreshOptions {
  readonly dataset: string;
  /** Such as `country` or `properties.plan`. */
  readonly dimensions: readonly string[];
  /** Rows received earlier than this before the last refresh are not looked for; ms. */
  readonly lookBackMs: number;
  /** Computes all days again. @default false */
  readonly all?: boolean;
  /** Runs a step, to report its progress. @default only runs it */
  readonly step?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
}

/** What a refresh did to the numbers of one generation. */
export interface RefreshedGeneration {
  readonly generation: number;
  /** The days that were computed, YYYY-MM-DD, sorted. */
  readonly days: readonly string[];
  /** ISO 8601; the numbers contain all events that were in the table `events` then. */
  readonly refreshedAt: string;
}

export interface RefreshResult {
  readonly generations: readonly RefreshedGeneration[];
  /** Bytes that BigQuery has read; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
}

/**
 * Computes the breakdowns of the days that were touched since the last refresh, for each generation that is not retired. Exact when it is
 * interrupted, repeated, or run twice at the same time.
 * @throws Error that names the missing permission, or the client's error
 */
export function refreshBreakdowns(bigquery: BigQuery, options: RefreshOptions): Promise<RefreshResult> {
  return Promise.reject(new Error(`not built yet: ${bigquery.projectId} ${options.dataset}`));
}
