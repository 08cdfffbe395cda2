import type { ResultRow } from "../query";
import type { MeteredQueries } from "../verify/meteredQueries";
import type { Refreshed } from "./breakdown";
import { REFRESH } from "./dimensions";
import { dailyOf, hourlyOf, type RefreshScope } from "./scope";

/** What the last refresh of a generation left. */
export interface RefreshState {
  /** The dimensions that all days have in both tables. Empty before the first complete refresh. */
  readonly dimensions: readonly string[];
  /** Start of the last complete refresh, epoch ms; undefined: none was complete. */
  readonly refreshedAtMs: number | undefined;
  /** Whether both tables have their row of the last refresh. */
  readonly hasRows: boolean;
}

/** The dimensions in the value of a row of {@link REFRESH}. */
export function parseDimensionList(list: string): string[] {
  return list.split(",").filter(Boolean);
}

/** @throws Error of the BigQuery client when the query fails */
export async function readRefreshState(
  queries: MeteredQueries,
  scope: Pick<RefreshScope, "project" | "dataset" | "generation">,
): Promise<RefreshState> {
  const ofTable = (kind: string, table: string): string =>
    `SELECT '${kind}' AS kind, value, UNIX_MILLIS(refreshed_at) AS ms
     FROM ${table} WHERE generation = ${scope.generation} AND dimension = '${REFRESH}'`;
  const rows = await queries.run(
    `${ofTable("daily", dailyOf(scope))} UNION ALL ${ofTable("hourly", hourlyOf(scope))} ORDER BY ms DESC`,
  );
  const [daily, hourly] = ["daily", "hourly"].map((kind) => rows.find((row) => row.text("kind") === kind));
  if (!daily || !hourly) return { dimensions: [], refreshedAtMs: undefined, hasRows: false };
  const ms = Math.min(daily.number("ms"), hourly.number("ms"));
  const ofHours = parseDimensionList(hourly.text("value"));
  return {
    dimensions: parseDimensionList(daily.text("value")).filter((dimension) => ofHours.includes(dimension)),
    refreshedAtMs: ms === 0 ? undefined : ms,
    hasRows: true,
  };
}

/**
 * What readers learn from the rows of {@link REFRESH} of one table, with the columns `value` and `refreshed_ms`. A concurrent first refresh
 * may have added a second one, which is older.
 */
export function refreshedOf(rows: readonly ResultRow[]): Pick<Refreshed, "refreshedAt" | "dimensions"> {
  const [newest] = [...rows].sort((a, b) => b.number("refreshed_ms") - a.number("refreshed_ms"));
  const ms = newest?.number("refreshed_ms") ?? 0;
  return {
    refreshedAt: ms === 0 ? null : new Date(ms).toISOString(),
    dimensions: parseDimensionList(newest?.text("value") ?? ""),
  };
}
