import type { BigQuery } from "@google-cloud/bigquery";
import { dayFromIso, dayStart } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { DEFAULT_TIME_ZONE, readActiveGeneration, timeZoneOf, type GenerationSettings } from "../generations";
import { horizonAt, readHorizon, type Horizon } from "../retention/horizon";
import { existingTable } from "../setup/existingTable";
import { acceptedIdsTable, generationsTable } from "../tables";
import { compareRecord, type RecordComparison } from "./compareRecord";
import { compareWithRawEvents, type RollupComparison } from "./compareRollups";
import { countDeadLetters, type DeadLetterGroup } from "./deadLetters";
import { MeteredQueries } from "./meteredQueries";
import { differingDays } from "../zone/zoneRules";
import { daysTouchedSince, type Scope } from "./scope";

export interface VerifyOptions {
  readonly dataset: string;
  /** Session gap, ms. Undefined: the one that the dataset was made with. */
  readonly gapMs?: number | undefined;
  /** IANA name of the time zone of the days. Undefined: the one that the dataset was made with. */
  readonly timeZone?: string | undefined;
  /** YYYY-MM-DD; compares only the days that were touched since then, and counts dead letters since then. Undefined: all. */
  readonly since?: string | undefined;
  /** ISO 8601; invalid messages that failed until then are acknowledged. */
  readonly deadLettersUntil?: string | undefined;
  /** Runs a step, to report its progress. @default only runs it */
  readonly step?: <T>(name: string, work: () => Promise<T>) => Promise<T>;
}

export interface Verification extends RollupComparison {
  /** Session gap that was used, ms. */
  readonly gapMs: number;
  /** Time zone of the days that was used. */
  readonly timeZone: string;
  /**
   * YYYY-MM-DD; days that start at another moment by the rules of BigQuery than by those of this Node.js. Looked for only among the
   * days with differences, which they explain.
   */
  readonly zoneDifferences: readonly string[];
  /** What the remaining rows of `events` tell about the numbers. Undefined: no rows are deleted. */
  readonly horizon: Horizon | undefined;
  /** The compared days, YYYY-MM-DD; undefined: all. */
  readonly days: readonly string[] | undefined;
  readonly record: RecordComparison;
  readonly deadLetters: readonly DeadLetterGroup[];
  /** Bytes that BigQuery has read; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
  /** Whether nothing is wrong: no difference, no missing event and no unexplained dead letter. */
  readonly isEqual: boolean;
}

/** The session gap of datasets that do not have their settings, ms. */
export const DEFAULT_GAP_MS = 30 * 60_000;

async function settingsOf(bigquery: BigQuery, dataset: string): Promise<GenerationSettings> {
  const unknown = { sessionGapMs: DEFAULT_GAP_MS, timeZone: DEFAULT_TIME_ZONE };
  // A dataset of an earlier release has no such table.
  if (!(await existingTable(bigquery, dataset, generationsTable))) return unknown;
  return (await readActiveGeneration(bigquery, dataset))?.settings ?? unknown;
}

/** The first moment of a day of a zone; a day earlier, before any local midnight, when this Node.js does not know the zone. */
function startOfDay(timeZone: string): (day: number) => number {
  if (timeZoneProblem(timeZone) !== undefined) return (day) => dayStart(day - 1);
  const zone = TimeZone.of(timeZone);
  return (day) => zone.startOfDay(day);
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
 * Checks that nothing was lost and that the rollups are exact: recomputes the rollups from the raw events, compares the record of
 * accepted events with the raw events, and counts the dead letters. Only at rest, when the pipeline has caught up, are no differences
 * to be expected.
 * @throws Error of the BigQuery client when a query fails; Error that names the missing permission
 */
export async function verifyDataset(bigquery: BigQuery, options: VerifyOptions): Promise<Verification> {
  const queries = new MeteredQueries(bigquery);
  const { dataset, since, deadLettersUntil, step = (_name, work) => work() } = options;
  const settings = await settingsOf(bigquery, dataset);
  const { gapMs = settings.sessionGapMs, timeZone = timeZoneOf(settings) } = options;
  const hasRecord = (await existingTable(bigquery, dataset, acceptedIdsTable)) !== undefined;
  const allDays = { days: undefined, recordDays: undefined };
  const all: Scope = { project: bigquery.projectId, dataset, timeZone, ...allDays, hasRecord };
  let scope = all;
  if (since !== undefined) {
    const touched = await step(`finding the days touched since ${since}`, () => daysTouchedSince(queries, all, since));
    scope = { ...all, ...touched };
  }
  const horizon = await readHorizon(bigquery, dataset, startOfDay(timeZone));
  const completeSince = horizon?.receivedSince;
  const rollups = await step("recomputing the rollups", () => compareWithRawEvents(queries, scope, gapMs, horizon));
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
      gapMs,
      timeZone,
      zoneDifferences,
      horizon,
      days: scope.days,
      record,
      deadLetters,
      bytesScanned: queries.bytesScanned,
    },
    isEqual:
      rollups.differences.length === 0 &&
      record.missing.length === 0 &&
      deadLetters.every(({ unexplained }) => unexplained === 0),
  };
}
