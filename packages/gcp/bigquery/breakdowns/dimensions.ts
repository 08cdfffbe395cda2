/** The dimension, and its only value, of the rows that count all events of a day or an hour. */
export const ALL = "(all)";

/** The value of events that lack the dimension. */
export const NO_VALUE = "(none)";

/**
 * The dimension of the row of the last refresh of a generation in each table of breakdowns. It is no number: every refresh replaces it, so
 * that BigQuery runs refreshes of the same generation one after the other.
 */
export const REFRESH = "(refresh)";

/** Columns of events that can be a dimension. */
export const DIMENSION_COLUMNS = [
  "event_name",
  "app",
  "platform",
  "page",
  "country",
  "region",
  "city",
  "referrer",
  "browser",
  "os",
] as const;

/** The dimensions without `--breakdowns`. */
export const DEFAULT_DIMENSIONS: readonly string[] = ["event_name", "app", "country", "page", "platform"];

/** A dimension that is a property of events has this prefix before its name. */
export const PROPERTY_PREFIX = "properties.";

/** What is wrong with the name of a dimension; undefined: nothing. */
export function dimensionProblem(name: string): string | undefined {
  if (DIMENSION_COLUMNS.some((column) => column === name)) return undefined;
  if (/^properties\.[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/.test(name)) return undefined;
  return (
    `${JSON.stringify(name.slice(0, 100))} is not a dimension. Dimensions are ${DIMENSION_COLUMNS.join(", ")}, and ` +
    `${PROPERTY_PREFIX}NAME for a property of the events, whose name has at most 64 letters, digits, _ and -`
  );
}
