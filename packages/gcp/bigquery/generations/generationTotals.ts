import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery } from "../query";
import { dailyRollupsAllView, tableReference } from "../views";

/** What a generation has counted. */
export interface GenerationTotals {
  readonly days: number;
  readonly sessions: number;
  /** Distinct known users over all days. */
  readonly users: number;
}

/**
 * Counts the days, sessions and users of each generation that has numbers.
 * @throws Error of the BigQuery client when the query fails
 */
export async function generationTotals(
  bigquery: BigQuery,
  dataset: string,
): Promise<ReadonlyMap<number, GenerationTotals>> {
  const rows = await runQuery(
    bigquery,
    `SELECT generation, COUNT(*) AS days, SUM(session_count) AS sessions, SUM(new_user_count) AS users
     FROM ${tableReference(bigquery.projectId, dataset, dailyRollupsAllView.name)} GROUP BY generation`,
  );
  return new Map(
    rows.map((row) => [
      row.number("generation"),
      { days: row.number("days"), sessions: row.number("sessions"), users: row.number("users") },
    ]),
  );
}
