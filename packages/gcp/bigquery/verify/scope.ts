import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import { acceptedIdsTable, dailyRollupVersionsTable, eventsTable } from "../tables";
import { dailyRollupsAllView, tableReference } from "../views";
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
  /** Whether sessions and days of bots count in the generation. */
  readonly countBots: boolean;
  /** Whether the generation counts persons. One of an earlier release counts users, and has no retention. */
  readonly countsPersons: boolean;
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

/** How long a person stays among the monthly active users, days. */
const MONTH = 30;

/**
 * The days of the rollups that follow one of some days within a month: their weekly and monthly active users may have changed.
 * @param days YYYY-MM-DD
 */
async function daysAfter(queries: MeteredQueries, scope: Scope, days: readonly string[]): Promise<string[]> {
  const rows = await queries.run(
    `SELECT date FROM ${table(scope, dailyRollupsAllView)} WHERE generation = ${scope.generation}`,
  );
  const affected = new Set(
    days.flatMap((date) => {
      const day = dayFromIso(date);
      return day === undefined ? [] : Array.from({ length: MONTH }, (_, i) => dayToIso(day + 1 + i));
    }),
  );
  return rows.map((row) => row.text("date")).filter((date) => affected.has(date));
}

/**
 * The days that were touched since a day: days of events received, of rollup versions written and of hashes recorded since then.
 * The last two also have the days whose raw events are all lost. Reads only partitions since that day, but for two kinds of days: those of
 * anonymous ids that were seen with a user since then, who is active on all of them, and those on which persons are still
 * weekly or monthly active.
 * @param since YYYY-MM-DD
 */
export async function daysTouchedSince(queries: MeteredQueries, scope: Scope, since: string): Promise<TouchedDays> {
  const { timeZone } = scope;
  const events = `FROM ${table(scope, eventsTable)} WHERE received_date >= DATE '${since}'`;
  const versions = `FROM ${table(scope, dailyRollupVersionsTable)}
    WHERE generation = ${scope.generation} AND written_date >= DATE '${since}'`;
  const record = `FROM ${table(scope, acceptedIdsTable)} WHERE written_date >= DATE '${since}'`;
  const linked = `FROM ${table(scope, eventsTable)} WHERE anonymous_id IN (
    SELECT anonymous_id ${events} AND anonymous_id IS NOT NULL AND user_id IS NOT NULL)`;
  const parts = [
    `SELECT 'utc' AS kind, event_date AS date ${events}`,
    `SELECT 'local' AS kind, ${dateIn(timeZone, "event_time")} AS date ${events}`,
    `SELECT 'local' AS kind, date ${versions}`,
    `SELECT 'linked' AS kind, ${dateIn(timeZone, "event_time")} AS date ${linked}`,
  ];
  if (scope.hasRecord) parts.push(`SELECT 'utc' AS kind, event_date AS date ${record}`);
  const rows = await queries.run(`SELECT DISTINCT kind, date FROM (${parts.join(" UNION ALL ")}) ORDER BY date`);
  const datesOf = (kind: string): string[] =>
    rows.filter((row) => row.text("kind") === kind).map((row) => row.text("date"));
  const [utc, local, ofLinks] = [datesOf("utc"), datesOf("local"), datesOf("linked")];
  // A UTC day whose raw events are all lost, and a day of the zone, can be each other's neighbours.
  const union = (...days: (readonly string[] | undefined)[]): string[] =>
    [...new Set(days.flatMap((d) => d ?? []))].sort();
  const days = union(local, utcDaysOf(timeZone, utc), ofLinks);
  return {
    days: scope.countsPersons ? union(days, await daysAfter(queries, scope, days)) : days,
    recordDays: union(utc, utcDaysOf(timeZone, local)),
  };
}
