import type { BigQuery } from "@google-cloud/bigquery";
import { readActiveGeneration } from "../generations";
import { horizonAt, readHorizon, type Horizon } from "../retention/horizon";
import { existingTable } from "../setup/existingTable";
import { acceptedIdsTable, generationsTable } from "../tables";
import { compareRecord, type RecordComparison } from "./compareRecord";
import { compareWithRawEvents, type RollupComparison } from "./compareRollups";
import { countDeadLetters, type DeadLetterGroup } from "./deadLetters";
import { MeteredQueries } from "./meteredQueries";
import { daysTouchedSince, type Scope } from "./scope";

export interface VerifyOptions {
  readonly dataset: string;
  /** Session gap, ms. Undefined: the one that the dataset was made with. */
  readonly gapMs?: number | undefined;
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

async function gapOfDataset(bigquery: BigQuery, dataset: string): Promise<number> {
  // A dataset of an earlier release has no such table.
  if (!(await existingTable(bigquery, dataset, generationsTable))) return DEFAULT_GAP_MS;
  return (await readActiveGeneration(bigquery, dataset))?.settings.sessionGapMs ?? DEFAULT_GAP_MS;
}

/**
 * Checks that nothing was lost and that the rollups are exact: recomputes the rollups from the raw events, compares the record of
 * accepted events with the raw events, and counts the dead letters. Only at rest, when the pipeline has caught up, are no differences
 * to be expected.
 * @throws Error of the BigQuery client when a query fails; Error that names the missing permission
 */
export async function verifyDataset(
  bigquery: BigQuery,
  { dataset, gapMs: givenGapMs, since, deadLettersUntil, step = (_name, work) => work() }: VerifyOptions,
): Promise<Verification> {
  const queries = new MeteredQueries(bigquery);
  const gapMs = givenGapMs ?? (await gapOfDataset(bigquery, dataset));
  const hasRecord = (await existingTable(bigquery, dataset, acceptedIdsTable)) !== undefined;
  const all: Scope = { project: bigquery.projectId, dataset, days: undefined, hasRecord };
  let scope = all;
  if (since !== undefined) {
    const days = await step(`finding the days touched since ${since}`, () => daysTouchedSince(queries, all, since));
    scope = { ...all, days };
  }
  const horizon = await readHorizon(bigquery, dataset);
  const completeSince = horizon?.receivedSince;
  const rollups = await step("recomputing the rollups", () => compareWithRawEvents(queries, scope, gapMs, horizon));
  const record = await step("comparing the record of accepted events", () =>
    // The record counts UTC days.
    compareRecord(queries, scope, completeSince && horizonAt(completeSince).firstCompleteDay),
  );
  const deadLetters = await step("counting the dead letters", () =>
    countDeadLetters(queries, scope, { since, acknowledgedUntil: deadLettersUntil, completeSince }),
  );
  return {
    ...rollups,
    ...{ gapMs, horizon, days: scope.days, record, deadLetters, bytesScanned: queries.bytesScanned },
    isEqual:
      rollups.differences.length === 0 &&
      record.missing.length === 0 &&
      deadLetters.every(({ unexplained }) => unexplained === 0),
  };
}
