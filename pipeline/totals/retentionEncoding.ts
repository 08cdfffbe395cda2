import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { KV } from "apache-beam/values";
import { MAX_WEEK_OFFSET, type CohortTotals, type RetentionDelta } from "@eventlogger/events/totals/retention";
import { EncodingError, parseJson, textCoder } from "../textEncoding";

const isCount = (value: unknown): value is number => Number.isSafeInteger(value);
const isOffset = (value: unknown): value is number => isCount(value) && value >= 0 && value <= MAX_WEEK_OFFSET;

/**
 * The deltas of one cohort between two steps: the epoch day of the cohort's Monday is the key, week offsets and persons are a flat JSON
 * list.
 * @param deltas of one cohort; not empty
 */
export function encodeCohortDeltas(deltas: readonly RetentionDelta[]): KV<string, string> {
  const value = JSON.stringify(deltas.flatMap(({ weekOffset, persons }) => [weekOffset, persons]));
  return { key: String(deltas[0]?.cohortWeek), value };
}

/** @throws EncodingError */
export function decodeCohortDeltas({ key, value }: KV<string, string>): RetentionDelta[] {
  if (!/^-?\d+$/.test(key)) throw new EncodingError("the week of a cohort", "an epoch day", key);
  const list = parseJson(value);
  const deltas: RetentionDelta[] = [];
  if (!Array.isArray(list) || list.length % 2 !== 0) throw damaged(value);
  for (let i = 0; i < list.length; i += 2) {
    const [weekOffset, persons] = [list[i] as unknown, list[i + 1] as unknown];
    if (!isOffset(weekOffset) || !isCount(persons)) throw damaged(value);
    deltas.push({ cohortWeek: Number(key), weekOffset, persons });
  }
  return deltas;
}

function damaged(value: string): EncodingError {
  return new EncodingError("the deltas of a cohort", "a JSON list of week offsets and persons", value);
}

/** Totals of a cohort as stored state: a JSON object. Jobs resume from it, so the format must not change. */
export function encodeCohort({ cohortWeek, persons, version }: CohortTotals): string {
  return JSON.stringify({ cohortWeek, persons, version });
}

/** @throws EncodingError */
export function decodeCohort(text: string): CohortTotals {
  const totals = parseJson(text);
  if (typeof totals === "object" && totals !== null) {
    const { cohortWeek, persons, version } = totals as Record<string, unknown>;
    if (isCount(cohortWeek) && isCount(version) && Array.isArray(persons) && persons.every(isCount)) {
      return { cohortWeek, persons, version };
    }
  }
  throw new EncodingError("the totals of a cohort", "a JSON object with cohortWeek, persons and version", text);
}

/** Totals of a cohort while they are in the worker. */
export interface ChangedCohort {
  readonly totals: CohortTotals;
  /** Week offsets that were changed since the last version; not stored. */
  readonly changed: ReadonlySet<number>;
}

export const cohortCoder: Coder<ChangedCohort> = textCoder(
  ({ totals }) => encodeCohort(totals),
  (text) => ({ totals: decodeCohort(text), changed: new Set<number>() }),
);
