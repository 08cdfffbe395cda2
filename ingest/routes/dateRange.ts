import { dayOf, dayToIso, parseDay } from "@eventlogger/events/day";
import type { TimeZone } from "@eventlogger/events/zone/timeZone";
import type { DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";
import { refusal, refuseUnknownParameters, shownValue } from "./parameters";

/** Number of days without `from`. */
export const DEFAULT_DAYS = 90;
/** Maximum number of days of a range. */
export const MAX_DAYS = 1000;

/** @throws RequestError INVALID_PARAMETER */
export function parseDayParameter(query: URLSearchParams, field: "from" | "to" | "date"): number | undefined {
  const values = query.getAll(field);
  if (values.length === 0) return undefined;
  const day = values.length === 1 ? parseDay(values[0] ?? "") : undefined;
  if (day !== undefined) return day;
  const given = values.length === 1 ? shownValue(values[0] ?? "") : `${values.length} values`;
  throw refusal(field, `must be one calendar date, as YYYY-MM-DD or dd/mm/yyyy, not ${given}`);
}

/** The days that a request asks for. Without `to` they depend on the time zone of the numbers, which only the answer has. */
export interface RequestedDays {
  /** Contains the days in every time zone. */
  readonly widest: DayRange;
  /** The days in a time zone. */
  inZone(zone: TimeZone): DayRange;
}

/**
 * Reads `from` and `to` of a query. Without `to` the range ends tomorrow, because event times may be 24 hours ahead; without
 * `from` it begins 90 days before its end, today included. Today is the date in the time zone of the numbers.
 * @param now epoch milliseconds
 * @param others further parameters of the path
 * @throws RequestError INVALID_PARAMETER with the name of the parameter
 */
export function parseDateRange(query: URLSearchParams, now: number, others: readonly string[] = []): RequestedDays {
  refuseUnknownParameters(query, [...others, "from", "to"]);
  const givenFrom = parseDayParameter(query, "from");
  const givenTo = parseDayParameter(query, "to");
  const range = (today: number): Days => {
    const from = givenFrom ?? (givenTo ?? today) - DEFAULT_DAYS + 1;
    return { from, to: givenTo ?? Math.max(today + 1, from) };
  };
  const today = dayOf(now);
  const { from, to } = range(today);
  if (from > to) throw refusal("from", `must not be after to (${dayToIso(from)} > ${dayToIso(to)})`);
  if (to - from >= MAX_DAYS) {
    const end = givenTo === undefined ? " (without to, the range ends tomorrow)" : "";
    throw refusal("from", `must be at most ${MAX_DAYS} days before the end of the range, both included${end}`);
  }
  // Somewhere it is still yesterday, and elsewhere tomorrow already.
  const widest = { from: range(today - 1).from, to: range(today + 1).to };
  return { widest: isoRange(widest), inZone: (zone) => isoRange(range(zone.dayOf(now))) };
}

/** Epoch days, both included. */
interface Days {
  readonly from: number;
  readonly to: number;
}

/** The first day that BigQuery's DATE holds, 0001-01-01. */
const FIRST_DAY = -719_162;

function isoRange({ from, to }: Days): DayRange {
  return { from: dayToIso(Math.max(from, FIRST_DAY)), to: dayToIso(Math.max(to, FIRST_DAY)) };
}
