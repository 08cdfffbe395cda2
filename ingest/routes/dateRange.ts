import { dayToIso, parseDay } from "@eventlogger/events/day";
import { RequestError } from "../http/errors";

/** First and last day, inclusive, `YYYY-MM-DD`; undefined for no bound. */
export interface DateRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

function parseParameter(field: "from" | "to", values: readonly string[]): string | undefined {
  if (values.length === 0) return undefined;
  const day = values.length === 1 ? parseDay(values[0] ?? "") : undefined;
  if (day !== undefined) return dayToIso(day);
  const given = values.length === 1 ? JSON.stringify(values[0]?.slice(0, 100)) : `${values.length} values`;
  throw new RequestError("INVALID_PARAMETER", {
    field,
    detail: `must be one calendar date, as YYYY-MM-DD or dd/mm/yyyy, not ${given}`,
  });
}

/** Reads `from` and `to` of a query. @throws RequestError INVALID_PARAMETER with the name of the parameter. */
export function parseDateRange(query: URLSearchParams): DateRange {
  const from = parseParameter("from", query.getAll("from"));
  const to = parseParameter("to", query.getAll("to"));
  if (from !== undefined && to !== undefined && from > to) {
    throw new RequestError("INVALID_PARAMETER", { field: "from", detail: `must not be after to (${from} > ${to})` });
  }
  return { from, to };
}
