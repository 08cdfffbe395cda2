import { dayToIso, DAY_MS } from "@eventlogger/events/day";
import type { TimeZone } from "@eventlogger/events/zone/timeZone";
import type { ResultRow } from "../query";

/** Runs a query of GoogleSQL and returns its rows. */
export type RunQuery = (sql: string) => Promise<ResultRow[]>;

/** SQL for the date of a timestamp in a time zone, by BigQuery's own rules of the zone. @param timeZone IANA name */
export function dateIn(timeZone: string, timestamp: string): string {
  if (!/^[\w+/-]+$/.test(timeZone)) throw new Error(`${JSON.stringify(timeZone)} is not the name of a time zone`);
  return timeZone === "UTC" ? `DATE(${timestamp})` : `DATE(${timestamp}, '${timeZone}')`;
}

/** Days whose starts are equally far from the starts of the UTC days of the same dates. */
interface Run {
  readonly first: number;
  last: number;
  /** Start of the UTC day minus start of the local day, ms. */
  readonly aheadMs: number;
}

/** The days from `first` to `last` as runs, without days that the zone skipped. */
function runsOf(zone: TimeZone, first: number, last: number): Run[] {
  const runs: Run[] = [];
  let open: Run | undefined;
  for (let day = first; day <= last; day++) {
    const start = zone.startOfDay(day);
    if (zone.dayOf(start) !== day) continue;
    const aheadMs = day * DAY_MS - start;
    if (open?.last === day - 1 && open.aheadMs === aheadMs) open.last = day;
    else runs.push((open = { first: day, last: day, aheadMs }));
  }
  return runs;
}

/**
 * The days of a zone that start at another moment by the rules of BigQuery than by those of this Node.js. Both follow the tz
 * database, but not always the same release of it. An event close to such a moment counts on different days in the rollups and in SQL.
 * Reads no table.
 * @param first epoch day @param last epoch day, not before `first`
 * @returns dates, YYYY-MM-DD
 * @throws Error of the BigQuery client; "Invalid time zone" when BigQuery does not know the zone
 */
export async function differingDays(run: RunQuery, zone: TimeZone, first: number, last: number): Promise<string[]> {
  const runs = runsOf(zone, first, last);
  if (runs.length === 0) return [];
  const starts = runs.map(
    ({ first: from, last: to, aheadMs }) =>
      `SELECT day, TIMESTAMP_MILLIS(day * ${DAY_MS} - (${aheadMs})) AS start FROM UNNEST(GENERATE_ARRAY(${from}, ${to})) AS day`,
  );
  const before = "TIMESTAMP_SUB(start, INTERVAL 1 MILLISECOND)";
  const rows = await run(`
SELECT day
FROM (${starts.join("\n  UNION ALL ")})
WHERE ${dateIn(zone.name, "start")} != DATE_FROM_UNIX_DATE(day)
  OR ${dateIn(zone.name, before)} >= DATE_FROM_UNIX_DATE(day)
ORDER BY day`);
  return rows.map((row) => dayToIso(row.number("day")));
}

/** The release of the tz database that this Node.js has, such as `2025c`. */
export function tzdataOfNode(): string {
  return process.versions.tz ?? "unknown";
}
