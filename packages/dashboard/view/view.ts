import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import { isMetric, type Metric } from "../numbers/metrics";
import { isPreset, lengthOf, MAX_RANGE_DAYS, type Range } from "./period";

/** What the values of a breakdown are compared by. */
export const MEASURES = ["events", "sessions", "users"] as const;
export type Measure = (typeof MEASURES)[number];

/** What the page shows. Its link keeps it. */
export interface View {
  readonly range: Range;
  /** Whether the period before is shown, too. */
  readonly compare: boolean;
  readonly metric: Metric;
  /** The dimension of each breakdown that the reader has chosen; the others are the first dimensions that the service has. */
  readonly dimensions: readonly string[];
  /** The measure of the bars. */
  readonly measure: Measure;
}

export const DEFAULT_VIEW: View = {
  range: { preset: "30d" },
  compare: true,
  metric: "active",
  dimensions: [],
  measure: "events",
};

/** More breakdowns, or a longer name, are not from this page. */
const MAX_DIMENSIONS = 8;
const MAX_NAME = 200;

function rangeOf(query: URLSearchParams): Range {
  const preset = query.get("range") ?? "";
  if (isPreset(preset)) return { preset };
  const from = dayFromIso(query.get("from") ?? "");
  const to = dayFromIso(query.get("to") ?? "");
  if (from === undefined || to === undefined || from > to || lengthOf({ from, to }) > MAX_RANGE_DAYS) {
    return DEFAULT_VIEW.range;
  }
  return { from, to };
}

/** Reads a view from the query of a link. What it does not have, or what is not valid, is as in the default view. */
export function viewFromQuery(search: string): View {
  const query = new URLSearchParams(search);
  const metric = query.get("metric") ?? "";
  const measure = MEASURES.find((name) => name === query.get("bars"));
  const dimensions = query
    .getAll("by")
    .filter((name) => name.length <= MAX_NAME)
    .slice(0, MAX_DIMENSIONS);
  return {
    range: rangeOf(query),
    compare: query.get("compare") !== "off",
    metric: isMetric(metric) ? metric : DEFAULT_VIEW.metric,
    dimensions,
    measure: measure ?? DEFAULT_VIEW.measure,
  };
}

/** The query of the link to a view: "" for the default view, else with a question mark. */
export function queryOfView({ range, compare, metric, dimensions, measure }: View): string {
  const query = new URLSearchParams();
  if (!("preset" in range)) {
    query.set("from", dayToIso(range.from));
    query.set("to", dayToIso(range.to));
  } else if (!("preset" in DEFAULT_VIEW.range) || range.preset !== DEFAULT_VIEW.range.preset) {
    query.set("range", range.preset);
  }
  if (compare !== DEFAULT_VIEW.compare) query.set("compare", compare ? "on" : "off");
  if (metric !== DEFAULT_VIEW.metric) query.set("metric", metric);
  for (const dimension of dimensions) query.append("by", dimension);
  if (measure !== DEFAULT_VIEW.measure) query.set("bars", measure);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
