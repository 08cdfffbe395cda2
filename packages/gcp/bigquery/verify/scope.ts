import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import { acceptedIdsTable, dailyRollupVersionsTable, eventsTable } from "../tables";
import { tableReference } from "../views";
import { dateIn } from "../zone/zoneRules";
import type { MeteredQueries } from "./meteredQueries";

/** Where a verification reads, and which days it compares. */
export interface Scope {
  readonly project: string;
  readonly dataset: string;
  /** The generation whose rollups are compared. */
  readonly generation: number;
  /** IANA name of the time zone of its days. The raw events and the record have UTC days. */
  readonly timeZone: string;
  /** Compared days of the rollups, YYYY-MM-DD, sorted; undefined: all days. */
  readonly days: readonly string[] | undefined;
  /** Compared UTC days of the record, YYYY-MM-DD, sorted; undefined: all days. */
  readonly recordDays: readonly string[] | undefined;
  /** Whether the dataset has the record of accepted events. A dataset of an earlier release lacks it. */
  readonly hasRecord: boolean;
}

/** The quoted name of a table of the dataset, for SQL. */
export function table({ project, dataset }: Scope, { name }: { readonly name: string }): string {
  return tableReference(project, dataset, name);
}

/**
 * The UTC days that can have events of days of a zone: local time is less than a day ahead of UTC or behind it.
 * @param days YYYY-MM-DD; undefined: all
 */
export function utcDaysOf(timeZone: string, days: readonly string[] | undefined): readonly string[] | undefined {
  if (days === undefined || timeZone === "UTC") return days;
  const around = days.flatMap((date) => {
    const day = dayFromIso(date);
    return day === undefined ? [] : [day - 1, day, day + 1];
  });
  return [...new Set(around)].sort((a, b) => a - b).map(dayToIso);
}

/**
 * A condition for days. The dates are constants, because BigQuery skips blocks of a clustered table only for constants.
 * @param days YYYY-MM-DD; undefined: all
 */
export function onDays(days: readonly string[] | undefined, column: string): string {
  if (days === undefined) return "TRUE";
  if (days.length === 0) return "FALSE";
  return `${column} IN (${days.map((day) => `DATE '${day}'`).join(", ")})`;
}

/** The days that a verification with `--since` compares, YYYY-MM-DD, sorted. */
export type TouchedDays = Required<Pick<Scope, "days" | "recordDays">>;

/**
 * The days that were touched since a day: days of events received, of rollup versions written and of hashes recorded since then.
 * The last two also have the days whose raw events are all lost. Reads only partitions since that day.
 * @param since YYYY-MM-DD
 */
export async function daysTouchedSince(queries: MeteredQueries, scope: Scope, since: string): Promise<TouchedDays> {
  const { timeZone } = scope;
  const events = `FROM ${table(scope, eventsTable)} WHERE received_date >= DATE '${since}'`;
  const versions = `FROM ${table(scope, dailyRollupVersionsTable)}
    WHERE generation = ${scope.generation} AND written_date >= DATE '${since}'`;
  const record = `FROM ${table(scope, acceptedIdsTable)} WHERE written_date >= DATE '${since}'`;
  const parts = [
    `SELECT 'utc' AS kind, event_date AS date ${events}`,
    `SELECT 'local' AS kind, ${dateIn(timeZone, "event_time")} AS date ${events}`,
    `SELECT 'local' AS kind, date ${versions}`,
  ];
  if (scope.hasRecord) parts.push(`SELECT 'utc' AS kind, event_date AS date ${record}`);
  const rows = await queries.run(`SELECT DISTINCT kind, date FROM (${parts.join(" UNION ALL ")}) ORDER BY date`);
  const datesOf = (kind: string): string[] =>
    rows.filter((row) => row.text("kind") === kind).map((row) => row.text("date"));
  const [utc, local] = [datesOf("utc"), datesOf("local")];
  // A UTC day whose raw events are all lost, and a day of the zone, can be each other's neighbours.
  const union = (...days: (readonly string[] | undefined)[]): string[] =>
    [...new Set(days.flatMap((d) => d ?? []))].sort();
  return { days: union(local, utcDaysOf(timeZone, utc)), recordDays: union(utc, utcDaysOf(timeZone, local)) };
}
