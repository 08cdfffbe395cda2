import { readRefreshState, type RefreshState } from "../breakdowns/refreshState";
import type { RefreshScope } from "../breakdowns/scope";
import { touchedByLinksSql, touchedByRowsSql } from "../breakdowns/touchedSql";
import { REFRESH } from "../breakdowns/dimensions";
import { existingTable } from "../setup/existingTable";
import type { ResultRow } from "../query";
import type { Horizon } from "../retention/horizon";
import { dailyBreakdownsTable, hourlyEventsTable, type Table } from "../tables";
import { expectedDaysSql, expectedHoursSql } from "./expectedBreakdowns";
import type { MeteredQueries } from "./meteredQueries";
import { onDays, table, type Scope } from "./scope";
import type { BigQuery } from "@google-cloud/bigquery";

/** Differences that are listed. */
const MAX_DIFFERENCES = 100;

const PERSONS = ["persons", "persons_below"] as const;
const DAY_NUMBERS = ["events", "sessions", "rank", "sessions_below", ...PERSONS] as const;
const HOUR_NUMBERS = ["events", "sessions", "persons"] as const;
type BreakdownNumber = (typeof DAY_NUMBERS)[number];

/** One number of one value that differs between a table of breakdowns and the raw events. */
export interface BreakdownDifference {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** Start of the hour, ISO 8601; undefined: a number of the whole day. */
  readonly hour: string | undefined;
  readonly dimension: string;
  readonly value: string;
  readonly number: BreakdownNumber;
  /** Computed from the raw events; 0 for a value without events. */
  readonly expected: number;
  /** Value in the table; 0 for a value that it lacks. */
  readonly actual: number;
}

export interface BreakdownComparison {
  readonly dimensions: readonly string[];
  /** Start of the last complete refresh, ISO 8601. */
  readonly refreshedAt: string;
  /** The first ones, sorted by date. */
  readonly differences: readonly BreakdownDifference[];
  readonly differenceCount: number;
  /** Number of days without a difference. */
  readonly equalDays: number;
  /** Days that were touched since the last refresh, YYYY-MM-DD, sorted. They are not compared. */
  readonly pendingDays: readonly string[];
  /** Whether persons were compared. Not when links of anonymous ids may be deleted, or wait for a refresh. */
  readonly comparesPersons: boolean;
}

/** The days that a refresh would compute. */
async function findPendingDays(queries: MeteredQueries, scope: Scope): Promise<string[]> {
  const refresh: RefreshScope = {
    ...{ project: scope.project, dataset: scope.dataset, generation: String(scope.generation) },
    ...{ timeZone: `'${scope.timeZone}'`, gapMs: "0", countBots: "FALSE", dimensions: [] },
    ...{ startedAt: "CURRENT_TIMESTAMP()", since: "DATE '0001-01-01'", all: "FALSE" },
  };
  const rows = [...(await queries.run(touchedByRowsSql(refresh))), ...(await queries.run(touchedByLinksSql(refresh)))];
  return [...new Set(rows.map((row) => row.text("date")))].sort();
}

interface Side {
  readonly table: Table;
  readonly expectedSql: (scope: Scope, dimensions: readonly string[]) => string;
  readonly keys: readonly string[];
  readonly numbers: readonly BreakdownNumber[];
}

const DAYS: Side = {
  table: dailyBreakdownsTable,
  expectedSql: expectedDaysSql,
  keys: ["dimension", "value", "date"],
  numbers: DAY_NUMBERS,
};
const HOURS: Side = {
  table: hourlyEventsTable,
  expectedSql: expectedHoursSql,
  keys: ["dimension", "value", "date", "hour"],
  numbers: HOUR_NUMBERS,
};

/** SQL of the rows in which one of some numbers differs, in both directions. A row of zeros equals one that is absent. */
function differencesSql(
  scope: Scope,
  side: Side,
  dimensions: readonly string[],
  numbers: readonly BreakdownNumber[],
): string {
  const { keys } = side;
  const on = keys.map((key) => `expected.${key} = actual.${key}`).join(" AND ");
  const both = numbers.map((n) => `IFNULL(expected.${n}, 0) AS expected_${n}, IFNULL(actual.${n}, 0) AS actual_${n}`);
  // The rank of a row of zeros is not 0, and that of a row that is absent is.
  const isZero = (name: string): string => `IFNULL(${name}.events, 0) = 0 AND IFNULL(${name}.sessions, 0) = 0`;
  const differs = numbers.map((n) => `IFNULL(expected.${n}, 0) != IFNULL(actual.${n}, 0)`).join(" OR ");
  return `
SELECT ${keys.map((key) => `IFNULL(expected.${key}, actual.${key}) AS ${key}`).join(", ")}, ${both.join(", ")}
FROM (${side.expectedSql(scope, dimensions)}) AS expected
FULL JOIN (
  SELECT * FROM ${table(scope, side.table)}
  WHERE generation = ${scope.generation} AND dimension != '${REFRESH}' AND ${onDays(scope.days, "date")}
) AS actual ON ${on}
WHERE (${differs}) AND NOT (${isZero("expected")} AND ${isZero("actual")})
ORDER BY date, dimension, value`;
}

function differencesOf(row: ResultRow, numbers: readonly BreakdownNumber[], hasHour: boolean): BreakdownDifference[] {
  return numbers.flatMap((number): BreakdownDifference[] => {
    const [expected, actual] = [row.number(`expected_${number}`), row.number(`actual_${number}`)];
    if (expected === actual) return [];
    const hour = hasHour ? new Date(row.text("hour")).toISOString() : undefined;
    const place = { date: row.text("date"), hour, dimension: row.text("dimension"), value: row.text("value") };
    return [{ ...place, number, expected, actual }];
  });
}

/** The days of a table, of the compared ones. */
async function storedDays(queries: MeteredQueries, scope: Scope): Promise<string[]> {
  const rows = await queries.run(
    `SELECT DISTINCT date FROM ${table(scope, dailyBreakdownsTable)}
     WHERE generation = ${scope.generation} AND dimension = '(all)' AND ${onDays(scope.days, "date")}`,
  );
  return rows.map((row) => row.text("date"));
}

/** The state of the last refresh; undefined before the first complete one, and in a dataset of an earlier release. */
async function refreshStateOf(
  bigquery: BigQuery,
  queries: MeteredQueries,
  scope: Scope,
): Promise<RefreshState | undefined> {
  const tables = [dailyBreakdownsTable, hourlyEventsTable].map((one) => existingTable(bigquery, scope.dataset, one));
  if ((await Promise.all(tables)).includes(undefined)) return undefined;
  const state = await readRefreshState(queries, { ...scope, generation: String(scope.generation) });
  return state.refreshedAtMs === undefined ? undefined : state;
}

/**
 * Recomputes the breakdowns from the raw events by SQL that shares nothing with that of a refresh, and compares them.
 * @returns undefined before the first refresh
 * @throws Error of the BigQuery client when a query fails
 */
export async function compareBreakdownsWithRawEvents(
  bigquery: BigQuery,
  queries: MeteredQueries,
  scope: Scope,
  gapMs: number,
  horizon: Horizon | undefined,
): Promise<BreakdownComparison | undefined> {
  const state = await refreshStateOf(bigquery, queries, scope);
  if (state?.refreshedAtMs === undefined) return undefined;
  const pendingDays = await findPendingDays(queries, scope);
  const pending = new Set(pendingDays);
  const comparesPersons = pendingDays.length === 0 && horizon === undefined;
  const isCompared = (date: string): boolean =>
    !pending.has(date) && (horizon === undefined || date >= horizon.firstCompleteDay);
  const differences: BreakdownDifference[] = [];
  for (const side of [DAYS, HOURS]) {
    const numbers = side.numbers.filter((number) => comparesPersons || !PERSONS.some((persons) => persons === number));
    const rows = await queries.run(differencesSql(scope, side, state.dimensions, numbers), { gap_ms: gapMs });
    differences.push(
      ...rows
        .filter((row) => isCompared(row.text("date")))
        .flatMap((row) => differencesOf(row, numbers, side === HOURS)),
    );
  }
  differences.sort((a, b) => (a.date < b.date ? -1 : Number(a.date > b.date)));
  const wrong = new Set(differences.map(({ date }) => date));
  const compared = (await storedDays(queries, scope)).filter(isCompared);
  return {
    dimensions: state.dimensions,
    refreshedAt: new Date(state.refreshedAtMs).toISOString(),
    differences: differences.slice(0, MAX_DIFFERENCES),
    differenceCount: differences.length,
    equalDays: compared.filter((date) => !wrong.has(date)).length,
    pendingDays: pendingDays.filter((date) => horizon === undefined || date >= horizon.firstCompleteDay),
    comparesPersons,
  };
}
