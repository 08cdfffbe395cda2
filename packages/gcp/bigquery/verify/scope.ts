import { acceptedIdsTable, dailyRollupVersionsTable, eventsTable } from "../tables";
import { tableReference } from "../views";
import type { MeteredQueries } from "./meteredQueries";

/** Where a verification reads, and which days it compares. */
export interface Scope {
  readonly project: string;
  readonly dataset: string;
  /** The generation whose rollups are compared. */
  readonly generation: number;
  /** IANA name of the time zone of its days. */
  readonly timeZone: string;
  /** YYYY-MM-DD, sorted; undefined: all days. */
  readonly days: readonly string[] | undefined;
  /** Whether the dataset has the record of accepted events. A dataset of an earlier release lacks it. */
  readonly hasRecord: boolean;
}

/** The quoted name of a table of the dataset, for SQL. */
export function table({ project, dataset }: Scope, { name }: { readonly name: string }): string {
  return tableReference(project, dataset, name);
}

/**
 * A condition for the compared days. The dates are constants, because BigQuery skips blocks of a clustered table only for
 * constants.
 */
export function onDays({ days }: Scope, column: string): string {
  if (days === undefined) return "TRUE";
  if (days.length === 0) return "FALSE";
  return `${column} IN (${days.map((day) => `DATE '${day}'`).join(", ")})`;
}

/**
 * The days that were touched since a day: days of events received, of rollup versions written and of hashes recorded since then.
 * The last two also have the days whose raw events are all lost. Reads only partitions since that day.
 * @param since YYYY-MM-DD
 */
export async function daysTouchedSince(queries: MeteredQueries, scope: Scope, since: string): Promise<string[]> {
  const parts = [
    `SELECT event_date AS date FROM ${table(scope, eventsTable)} WHERE received_date >= DATE '${since}'`,
    `SELECT date FROM ${table(scope, dailyRollupVersionsTable)}
     WHERE generation = ${scope.generation} AND written_date >= DATE '${since}'`,
  ];
  if (scope.hasRecord) {
    parts.push(
      `SELECT event_date AS date FROM ${table(scope, acceptedIdsTable)} WHERE written_date >= DATE '${since}'`,
    );
  }
  const rows = await queries.run(`SELECT DISTINCT date FROM (${parts.join(" UNION ALL ")}) ORDER BY date`);
  return rows.map((row) => row.text("date"));
}
