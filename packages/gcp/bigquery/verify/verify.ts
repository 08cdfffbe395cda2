import type { BigQuery } from "@google-cloud/bigquery";
import { dayFromIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { UserError } from "@eventlogger/process/main";
import {
  countsPersons,
  FIRST_GENERATION,
  PERSONS_STATE_FORMAT,
  readActiveGeneration,
  readGeneration,
  timeZoneOf,
  type Generation,
} from "../generations";
import { horizonAt, readHorizon, type Horizon } from "../retention/horizon";
import { existingTable } from "../setup/existingTable";
import { checkColumns } from "../setup/columns";
import { acceptedIdsTable, eventsTable } from "../tables";
import { compareBreakdownsWithRawEvents, type BreakdownComparison } from "./compareBreakdowns";
import { compareRecord, type RecordComparison } from "./compareRecord";
import { compareRetentionWithRawEvents, type RetentionComparison } from "./compareRetention";
import { compareWithRawEvents, type RollupComparison } from "./compareRollups";
import { countDeadLetters, type DeadLetterGroup } from "./deadLetters";
import { MeteredQueries } from "./meteredQueries";
import { differingDays } from "../zone/zoneRules";
import { daysTouchedSince, type Scope } from "./scope";

export interface VerifyOptions {
  readonly dataset: string;
  /** Undefined: the active one. */
  readonly generation?: number | undefined;
  /** Session gap, ms. Undefined: that of the generation. */
  readonly gapMs?: number | undefined;
  /** IANA name of the time zone of the days. Undefined: that of the generation. */
  readonly timeZone?: string | undefined;
  /** YYYY-MM-DD; compares only the days that were touched since then, and counts dead letters since then. Undefined: all. */
  readonly since?: string | undefined;
  /** ISO 8601; invalid messages that failed until then are acknowledged. */
  readonly deadLettersUntil?: string | undefined;
  /** Runs a step, to report its progress. @default only runs it */
  readonly step?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
}

export interface Verification extends RollupComparison {
  readonly generation: number;
  /** IANA name of the time zone of the days. */
  readonly timeZone: string;
  /** Session gap that was used, ms. */
  readonly gapMs: number;
  /**
   * YYYY-MM-DD; days that start at another moment by the rules of BigQuery than by those of this Node.js. Looked for only among the
   * days with differences, which they explain.
   */
  readonly zoneDifferences: readonly string[];
  /** What the remaining rows of `events` tell about the numbers. Undefined: no rows are deleted. */
  readonly horizon: Horizon | undefined;
  /** The compared days, YYYY-MM-DD; undefined: all. */
  readonly days: readonly string[] | undefined;
  /** Undefined for a generation of an earlier release, which has no retention. */
  readonly retention: RetentionComparison | undefined;
  /** Undefined before the first refresh of the breakdowns. */
  readonly breakdowns: BreakdownComparison | undefined;
  readonly record: RecordComparison;
  readonly deadLetters: readonly DeadLetterGroup[];
  /** Bytes that BigQuery has read; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
  /** Whether nothing is wrong: no difference, no missing event and no unexplained dead letter. */
  readonly isEqual: boolean;
}

/** The generation of a dataset in which no run has started, for its rows that were written otherwise. */
const NO_GENERATION = {
  generation: FIRST_GENERATION,
  settings: { sessionGapMs: 30 * 60_000, stateFormat: PERSONS_STATE_FORMAT },
};

/** @throws Error when the generation does not exist */
async function generationOf(
  bigquery: BigQuery,
  dataset: string,
  wanted: number | undefined,
): Promise<Pick<Generation, "generation" | "settings">> {
  if (wanted === undefined) return (await readActiveGeneration(bigquery, dataset)) ?? NO_GENERATION;
  const found = await readGeneration(bigquery, dataset, wanted);
  if (!found) {
    throw new UserError(
      `Dataset ${dataset} has no generation ${wanted}. \`eventlogger generations\` lists the generations`,
    );
  }
  return found;
}

/** @throws UserError when the table `events` lacks a column that an earlier release did not have */
async function requireColumns(bigquery: BigQuery, dataset: string): Promise<void> {
  const metadata = await existingTable(bigquery, dataset, eventsTable);
  const missing = metadata ? checkColumns(metadata, eventsTable).missing : [];
  if (missing.length === 0) return;
  throw new UserError(
    `Table ${dataset}.${eventsTable.name} lacks the columns ${missing.map(({ name }) => name).join(", ")}. ` +
      "Run `eventlogger setup` with the same options first",
  );
}

/** Days with differences, or next to them, on which BigQuery's rules of the zone are not those of this Node.js. */
async function zoneDifferencesOf(
  queries: MeteredQueries,
  timeZone: string,
  { differences }: RollupComparison,
): Promise<string[]> {
  const days = differences.map(({ date }) => dayFromIso(date) ?? 0);
  if (days.length === 0 || timeZoneProblem(timeZone) !== undefined) return [];
  const near = new Set(days.flatMap((day) => [day, day + 1]));
  const [first, last] = [Math.min(...near), Math.max(...near)];
  const found = await differingDays((sql) => queries.run(sql), TimeZone.of(timeZone), first, last);
  return found.filter((date) => near.has(dayFromIso(date) ?? 0));
}

/**
 * Checks that nothing was lost and that the rollups of a generation are exact: recomputes them from the raw events, compares the record of
 * accepted events with the raw events, and counts the dead letters. Only at rest, when the pipeline has caught up, are no differences
 * to be expected.
 * @throws UserError when the generation does not exist; Error of the BigQuery client when a query fails; Error that names the
 *   missing permission
 */
export async function verifyDataset(bigquery: BigQuery, options: VerifyOptions): Promise<Verification> {
  const queries = new MeteredQueries(bigquery);
  const { dataset, since, deadLettersUntil, step = (_name, work) => work() } = options;
  const { generation, settings } = await generationOf(bigquery, dataset, options.generation);
  const { gapMs = settings.sessionGapMs, timeZone = timeZoneOf(settings) } = options;
  const hasRecord = (await existingTable(bigquery, dataset, acceptedIdsTable)) !== undefined;
  await requireColumns(bigquery, dataset);
  const all: Scope = {
    ...{ project: bigquery.projectId, dataset, generation, timeZone, hasRecord },
    ...{ countBots: settings.countBots ?? false, countsPersons: countsPersons(settings) },
    ...{ days: undefined, recordDays: undefined },
  };
  let scope = all;
  if (since !== undefined) {
    const touched = await step(`finding the days touched since ${since}`, () => daysTouchedSince(queries, all, since));
    scope = { ...all, ...touched };
  }
  const horizon = await readHorizon(bigquery, dataset, timeZone);
  const completeSince = horizon?.receivedSince;
  const rollups = await step("recomputing the rollups", () => compareWithRawEvents(queries, scope, gapMs, horizon));
  const retention = all.countsPersons
    ? await step("recomputing the retention", () => compareRetentionWithRawEvents(queries, scope, horizon))
    : undefined;
  const breakdowns = await step("recomputing the breakdowns", () =>
    compareBreakdownsWithRawEvents(bigquery, queries, scope, gapMs, horizon),
  );
  const record = await step("comparing the record of accepted events", () =>
    // The record counts UTC days.
    compareRecord(queries, scope, completeSince && horizonAt(completeSince).firstCompleteDay),
  );
  const deadLetters = await step("counting the dead letters", () =>
    countDeadLetters(queries, scope, { since, acknowledgedUntil: deadLettersUntil, completeSince }),
  );
  const zoneDifferences = await zoneDifferencesOf(queries, timeZone, rollups);
  return {
    ...rollups,
    ...{
      generation,
      gapMs,
      timeZone,
      zoneDifferences,
      horizon,
      days: scope.days,
      retention,
      breakdowns,
      record,
      deadLetters,
      bytesScanned: queries.bytesScanned,
    },
    isEqual:
      rollups.differences.length === 0 &&
      (retention?.differences.length ?? 0) === 0 &&
      (breakdowns?.differenceCount ?? 0) === 0 &&
      record.missing.length === 0 &&
      deadLetters.every(({ unexplained }) => unexplained === 0),
  };
}
