import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { KV } from "apache-beam/values";
import { DAY_COUNTS, type DayDelta, type DayTotals } from "@eventlogger/events/totals/totals";
import { EncodingError, parseJson, textCoder } from "../textEncoding";

const DELTA_FORMAT = `the JSON list [${DAY_COUNTS.join(", ")}]`;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value);

type Counts = Omit<DayDelta, "day">;

/** A delta between two steps: the day is the key, the counts are a JSON list. */
export function encodeDelta(delta: DayDelta): KV<string, string> {
  return { key: String(delta.day), value: JSON.stringify(DAY_COUNTS.map((count) => delta[count])) };
}

/** @throws EncodingError */
export function decodeDelta({ key, value }: KV<string, string>): DayDelta {
  if (!/^-?\d+$/.test(key)) throw new EncodingError("the day of a delta", "an epoch day", key);
  const counts = parseJson(value);
  if (!Array.isArray(counts) || counts.length !== DAY_COUNTS.length || !counts.every(isCount)) {
    throw new EncodingError("a delta", DELTA_FORMAT, value);
  }
  return { day: Number(key), ...(Object.fromEntries(DAY_COUNTS.map((name, i) => [name, counts[i]])) as Counts) };
}

const TOTALS_FIELDS = ["day", ...DAY_COUNTS, "version"] as const;

const pickTotals = (totals: DayTotals): DayTotals =>
  Object.fromEntries(TOTALS_FIELDS.map((field) => [field, totals[field]])) as unknown as DayTotals;

function hasTotals(value: unknown): value is DayTotals {
  return (
    typeof value === "object" &&
    value !== null &&
    TOTALS_FIELDS.every((field) => isCount((value as Record<string, unknown>)[field]))
  );
}

/** Totals as stored state: a JSON object. Jobs resume from it, so the format must not change. */
export function encodeTotals(totals: DayTotals): string {
  return JSON.stringify(pickTotals(totals));
}

/** @throws EncodingError */
export function decodeTotals(text: string): DayTotals {
  const totals = parseJson(text);
  if (!hasTotals(totals)) {
    throw new EncodingError("the totals of a day", `a JSON object with the integers ${TOTALS_FIELDS.join(", ")}`, text);
  }
  return pickTotals(totals);
}

export const dayTotalsCoder: Coder<DayTotals> = textCoder(encodeTotals, decodeTotals);
