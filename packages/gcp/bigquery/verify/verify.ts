import type { BigQuery } from "@google-cloud/bigquery";
import { UserError } from "@eventlogger/process/main";
import { FIRST_GENERATION, readActiveGeneration, readGeneration, timeZoneOf, type Generation } from "../generations";
import { existingTable } from "../setup/existingTable";
import { acceptedIdsTable } from "../tables";
import { compareRecord, type RecordComparison } from "./compareRecord";
import { compareWithRawEvents, type RollupComparison } from "./compareRollups";
import { countDeadLetters, type DeadLetterGroup } from "./deadLetters";
import { MeteredQueries } from "./meteredQueries";
import { daysTouchedSince, type Scope } from "./scope";

export interface VerifyOptions {
  readonly dataset: string;
  /** Undefined: the active one. */
  readonly generation?: number | undefined;
  /** Session gap, ms. Undefined: that of the generation. */
  readonly gapMs?: number | undefined;
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
  /** The compared days, YYYY-MM-DD; undefined: all. */
  readonly days: readonly string[] | undefined;
  readonly record: RecordComparison;
  readonly deadLetters: readonly DeadLetterGroup[];
  /** Bytes that BigQuery has read; undefined when it does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
  /** Whether nothing is wrong: no difference, no missing event and no unexplained dead letter. */
  readonly isEqual: boolean;
}

/** The generation of a dataset in which no run has started, for its rows that were written otherwise. */
const NO_GENERATION = { generation: FIRST_GENERATION, settings: { sessionGapMs: 30 * 60_000 } };

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

/**
 * Checks that nothing was lost and that the rollups of a generation are exact: recomputes them from the raw events, compares the record of
 * accepted events with the raw events, and counts the dead letters. Only at rest, when the pipeline has caught up, are no differences
 * to be expected.
 * @throws UserError when the generation does not exist; Error of the BigQuery client when a query fails; Error that names the
 *   missing permission
 */
export async function verifyDataset(
  bigquery: BigQuery,
  {
    dataset,
    generation: wanted,
    gapMs: givenGapMs,
    since,
    deadLettersUntil,
    step = (_name, work) => work(),
  }: VerifyOptions,
): Promise<Verification> {
  const queries = new MeteredQueries(bigquery);
  const { generation, settings } = await generationOf(bigquery, dataset, wanted);
  const gapMs = givenGapMs ?? settings.sessionGapMs;
  const timeZone = timeZoneOf(settings);
  const hasRecord = (await existingTable(bigquery, dataset, acceptedIdsTable)) !== undefined;
  const all: Scope = { project: bigquery.projectId, dataset, generation, timeZone, days: undefined, hasRecord };
  let scope = all;
  if (since !== undefined) {
    const days = await step(`finding the days touched since ${since}`, () => daysTouchedSince(queries, all, since));
    scope = { ...all, days };
  }
  const rollups = await step("recomputing the rollups", () => compareWithRawEvents(queries, scope, gapMs));
  const record = await step("comparing the record of accepted events", () => compareRecord(queries, scope));
  const deadLetters = await step("counting the dead letters", () =>
    countDeadLetters(queries, scope, { since, acknowledgedUntil: deadLettersUntil }),
  );
  return {
    ...rollups,
    ...{ generation, timeZone, gapMs, days: scope.days, record, deadLetters, bytesScanned: queries.bytesScanned },
    isEqual:
      rollups.differences.length === 0 &&
      record.missing.length === 0 &&
      deadLetters.every(({ unexplained }) => unexplained === 0),
  };
}
