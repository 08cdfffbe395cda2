import type { SourceDay } from "./scope";

/** Rows that one statement computes, unless one day has more: it keeps the statements of years of events small. */
const MAX_ROWS = 5_000_000;
/** Days of one statement: BigQuery limits a statement to 1 MB, and each day takes about a hundred bytes and one for each received_date. */
const MAX_DAYS = 400;

/** The number of rows in the text of `source_rows`. */
function rowsOf({ sourceRows }: SourceDay): number {
  return sourceRows.split(",").reduce((sum, entry) => sum + Number(entry.split("=")[1] ?? 0), 0);
}

/** Splits days into those of one statement each, in their order. */
export function batchesOf(days: readonly SourceDay[]): SourceDay[][] {
  const batches: SourceDay[][] = [];
  let rows = Infinity;
  for (const day of days) {
    const batch = batches.at(-1);
    rows += rowsOf(day);
    if (batch && rows <= MAX_ROWS && batch.length < MAX_DAYS) {
      batch.push(day);
    } else {
      batches.push([day]);
      rows = rowsOf(day);
    }
  }
  return batches;
}
