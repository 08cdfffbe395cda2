/**
 * The numbers that a tile and the chart show. What the number of a range is depends on the metric, because users of different days
 * cannot be added up: `mean` of the days, `sum`, the `last` day's, or the sum of durations per session.
 */
export const METRICS = {
  active: { label: "Active users", unit: "per day, on average", range: "mean", format: "count" },
  new: { label: "New users", unit: "in the range", range: "sum", format: "count" },
  weekly: { label: "Weekly active", unit: "in 7 days (WAU)", range: "last", format: "count" },
  monthly: { label: "Monthly active", unit: "in 30 days (MAU)", range: "last", format: "count" },
  sessions: { label: "Sessions", unit: "in the range", range: "sum", format: "count" },
  duration: { label: "Session duration", unit: "on average", range: "ratio", format: "seconds" },
} as const;

export type Metric = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as readonly Metric[];

export function isMetric(text: string): text is Metric {
  return Object.hasOwn(METRICS, text);
}
