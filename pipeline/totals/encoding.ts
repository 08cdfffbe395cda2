import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { KV } from "apache-beam/values";
import type { DayDelta, DayTotals } from "@eventlogger/events/totals/totals";
import { EncodingError, parseJson, textCoder } from "../textEncoding";

const DELTA_FORMAT = "the JSON list [sessions, durationMs, activeUsers, newUsers]";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value);

/** A delta between two steps: the day is the key, the counts are a JSON list. */
export function encodeDelta({ day, sessions, durationMs, activeUsers, newUsers }: DayDelta): KV<string, string> {
  return { key: String(day), value: JSON.stringify([sessions, durationMs, activeUsers, newUsers]) };
}

/** @throws EncodingError */
export function decodeDelta({ key, value }: KV<string, string>): DayDelta {
  if (!/^-?\d+$/.test(key)) throw new EncodingError("the day of a delta", "an epoch day", key);
  const counts = parseJson(value);
  if (!Array.isArray(counts) || counts.length !== 4 || !counts.every(isCount)) {
    throw new EncodingError("a delta", DELTA_FORMAT, value);
  }
  const [sessions, durationMs, activeUsers, newUsers] = counts as [number, number, number, number];
  return { day: Number(key), sessions, durationMs, activeUsers, newUsers };
}

const TOTALS_FIELDS = ["day", "sessions", "durationMs", "activeUsers", "newUsers", "version"] as const;

function hasTotals(value: unknown): value is DayTotals {
  return (
    typeof value === "object" &&
    value !== null &&
    TOTALS_FIELDS.every((field) => isCount((value as Record<string, unknown>)[field]))
  );
}

/** Totals as stored state: a JSON object. Jobs resume from it, so the format must not change. */
export function encodeTotals({ day, sessions, durationMs, activeUsers, newUsers, version }: DayTotals): string {
  return JSON.stringify({ day, sessions, durationMs, activeUsers, newUsers, version });
}

/** @throws EncodingError */
export function decodeTotals(text: string): DayTotals {
  const totals = parseJson(text);
  if (!hasTotals(totals)) {
    throw new EncodingError("the totals of a day", `a JSON object with the integers ${TOTALS_FIELDS.join(", ")}`, text);
  }
  const { day, sessions, durationMs, activeUsers, newUsers, version } = totals;
  return { day, sessions, durationMs, activeUsers, newUsers, version };
}

export const dayTotalsCoder: Coder<DayTotals> = textCoder(encodeTotals, decodeTotals);
