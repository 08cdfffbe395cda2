import type { BigQuery } from "@google-cloud/bigquery";
import { dayOf, dayToIso, DAY_MS } from "@eventlogger/events/day";
import { withPermission } from "../../api/permission";
import { retryConflicts } from "../conflicts";
import { countsBots, readGenerations, timeZoneOf, type Generation } from "../generations";
import type { ResultRow } from "../query";
import { bigQueryNow, readHorizon } from "../retention/horizon";
import { dailyBreakdownsTable } from "../tables";
import { MeteredQueries } from "../verify/meteredQueries";
import { batchesOf } from "./batches";
import { DEFAULT_DIMENSIONS, dimensionProblem } from "./dimensions";
import { addRefreshRowsSql, mergeDailySql, mergeHourlySql, type RefreshRow } from "./mergeSql";
import { readRefreshState, type RefreshState } from "./refreshState";
import { constantDays, type RefreshScope, type SourceDay } from "./scope";
import { addActivitySql, touchedByLinksSql, touchedByRowsSql } from "./touchedSql";

/** How far back a refresh looks for late rows by default: Pub/Sub keeps messages for 7 days. */
export const DEFAULT_LOOK_BACK_MS = 8 * DAY_MS;

export interface RefreshOptions {
  readonly dataset: string;
  /** Such as `country` or `properties.plan`. Undefined: those of the last refresh, at first {@link DEFAULT_DIMENSIONS}. */
  readonly dimensions?: readonly string[] | undefined;
  /** Rows received longer than this before the last refresh are not looked for; ms. @default DEFAULT_LOOK_BACK_MS */
  readonly lookBackMs?: number;
  /** Computes all days again. @default false */
  readonly all?: boolean;
  /** Finds the days, but computes nothing. @default false */
  readonly dryRun?: boolean;
  /** Runs a step, to report its progress. @default only runs it */
  readonly step?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** No further statement is started once it is aborted. */
  readonly signal?: AbortSignal;
}

/** What a refresh did to the numbers of one generation. */
export interface RefreshedGeneration {
  readonly generation: number;
  readonly dimensions: readonly string[];
  /** The days that were computed, YYYY-MM-DD, sorted. */
  readonly days: readonly string[];
  /** Touched days that keep their numbers, because rows of them are deleted, or will be within a day. */
  readonly keptDays: readonly string[];
  /** ISO 8601; the numbers contain all events that were in the table `events` then. */
  readonly refreshedAt: string;
}

export interface RefreshResult {
  readonly generations: readonly RefreshedGeneration[];
  /** Bytes that BigQuery has read, or with `dryRun` would read; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
}

/** SQL of a TIMESTAMP. @param ms epoch ms */
const timestamp = (ms: number): string => `TIMESTAMP_MILLIS(${ms})`;

const text = (value: string): string => `'${value}'`;

/** The days before which no rows exist that an earlier refresh has not compared. */
function sinceOf(state: RefreshState, nowMs: number, lookBackMs: number): string {
  if (state.refreshedAtMs === undefined) return "0001-01-01";
  return dayToIso(Math.max(0, dayOf(Math.min(state.refreshedAtMs, nowMs) - lookBackMs)));
}

const sourceDay = (row: ResultRow): SourceDay => ({
  date: row.text("date"),
  sourceRows: row.textOrNull("source_rows") ?? "",
});

class GenerationRefresh {
  constructor(
    private readonly queries: MeteredQueries,
    private readonly scope: RefreshScope,
    private readonly state: RefreshState,
    private readonly isDay: (date: string) => boolean,
    private readonly options: Required<Pick<RefreshOptions, "step">> & Pick<RefreshOptions, "dryRun" | "signal">,
  ) {}

  async run(): Promise<Pick<RefreshedGeneration, "days" | "keptDays">> {
    const { scope, options } = this;
    const byRows = await options.step("finding the days with other rows", () => this.find(touchedByRowsSql(scope)));
    if (!options.dryRun) {
      if (!this.state.hasRows) for (const sql of addRefreshRowsSql(scope)) await this.change(sql);
      if (byRows.length) {
        await options.step("recording the anonymous ids", async () => {
          for (const batch of batchesOf(byRows)) await this.change(addActivitySql(scope, constantDays(batch)));
        });
      }
    }
    const byLinks = await options.step("finding the days of anonymous ids with other users", () =>
      this.find(touchedByLinksSql(scope)),
    );
    const days = new Map([...byLinks, ...byRows].map((day) => [day.date, day]));
    const touched = [...days.values()].sort((a, b) => (a.date < b.date ? -1 : 1));
    await this.compute(touched.filter(({ date }) => this.isDay(date)));
    const dates = touched.map(({ date }) => date);
    return { days: dates.filter(this.isDay), keptDays: dates.filter((date) => !this.isDay(date)) };
  }

  private async compute(days: readonly SourceDay[]): Promise<void> {
    const { scope, state } = this;
    const done: RefreshRow = { dimensionList: text(scope.dimensions.join(",")), refreshedAt: scope.startedAt };
    const started: RefreshRow = {
      // Until all days are computed, some lack the new dimensions and others have the old ones.
      dimensionList: text(state.dimensions.filter((dimension) => scope.dimensions.includes(dimension)).join(",")),
      refreshedAt: timestamp(state.refreshedAtMs ?? 0),
    };
    const batches = days.length ? batchesOf(days) : [[]];
    for (const [i, batch] of batches.entries()) {
      const row = i === batches.length - 1 ? done : started;
      const expressions = batch.length ? constantDays(batch) : undefined;
      const [first, last] = [batch[0]?.date, batch.at(-1)?.date];
      const name = first === undefined ? "" : ` of ${first}${last === first ? "" : ` to ${last}`}`;
      await this.options.step(`computing the days${name}`, () => this.change(mergeDailySql(scope, expressions, row)));
      await this.options.step(`computing the hours${name}`, () => this.change(mergeHourlySql(scope, expressions, row)));
    }
  }

  private async find(sql: string): Promise<SourceDay[]> {
    this.options.signal?.throwIfAborted();
    return (await this.queries.run(sql)).map(sourceDay);
  }

  private async change(sql: string): Promise<void> {
    this.options.signal?.throwIfAborted();
    if (this.options.dryRun) await this.queries.estimate(sql);
    else await retryConflicts(() => this.queries.run(sql));
  }
}

async function refreshGeneration(
  bigquery: BigQuery,
  queries: MeteredQueries,
  { generation: id, settings }: Generation,
  options: RefreshOptions,
): Promise<RefreshedGeneration> {
  const { dataset, lookBackMs = DEFAULT_LOOK_BACK_MS, step = (_name, work) => work(), dryRun, signal } = options;
  const names = { project: bigquery.projectId, dataset, generation: String(id) };
  const state = await readRefreshState(queries, names);
  const kept = state.dimensions.length ? state.dimensions : DEFAULT_DIMENSIONS;
  const dimensions = [...new Set(options.dimensions ?? kept)];
  const timeZone = timeZoneOf(settings);
  const horizon = await readHorizon(bigquery, dataset, timeZone, DAY_MS);
  const startedMs = await bigQueryNow(bigquery);
  const hasOthers = [...dimensions].sort().join() !== [...state.dimensions].sort().join();
  const all = options.all === true || hasOthers || state.refreshedAtMs === undefined;
  const scope: RefreshScope = {
    ...names,
    timeZone: text(timeZone),
    gapMs: String(settings.sessionGapMs),
    countBots: countsBots(settings) ? "TRUE" : "FALSE",
    dimensions,
    startedAt: timestamp(startedMs),
    since: `DATE ${text(all ? "0001-01-01" : sinceOf(state, startedMs, lookBackMs))}`,
    all: all ? "TRUE" : "FALSE",
  };
  const isDay = (date: string): boolean => horizon === undefined || date >= horizon.firstCompleteDay;
  const refresh = new GenerationRefresh(queries, scope, state, isDay, {
    step,
    ...(dryRun !== undefined && { dryRun }),
    ...(signal && { signal }),
  });
  return { generation: id, dimensions, ...(await refresh.run()), refreshedAt: new Date(startedMs).toISOString() };
}

/**
 * Computes the breakdowns of the days that were touched since the last refresh, for each generation that is not retired. Exact when it is
 * interrupted, repeated, or run twice at the same time: see docs/numbers.md.
 * @throws TypeError for a dimension that does not exist; Error that names the missing permission, or the client's error
 */
export async function refreshBreakdowns(bigquery: BigQuery, options: RefreshOptions): Promise<RefreshResult> {
  const problems = (options.dimensions ?? []).flatMap((name) => dimensionProblem(name) ?? []);
  if (problems.length) throw new TypeError(problems.join(". "));
  const queries = new MeteredQueries(bigquery);
  const generations: RefreshedGeneration[] = [];
  const need = {
    project: bigquery.projectId,
    permission: "bigquery.jobs.create, bigquery.tables.getData or bigquery.tables.updateData",
    resource: `table ${options.dataset}.${dailyBreakdownsTable.name}`,
  };
  await withPermission(need, async () => {
    for (const generation of await readGenerations(bigquery, options.dataset)) {
      if (generation.status === "retired") continue;
      generations.push(await refreshGeneration(bigquery, queries, generation, options));
    }
  });
  return { generations, bytesScanned: queries.bytesScanned };
}
