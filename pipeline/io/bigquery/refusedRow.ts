import { count } from "@eventlogger/beam";
import { createDeadLetter, type DeadLetter } from "@eventlogger/events/deadLetter";
import { withoutRowValues } from "./insert/rowValues";
import type { TableName } from "@eventlogger/gcp/bigquery/tables";

/**
 * Thrown when BigQuery refuses a row that no dead letter may replace: a dead letter or a rollup version. It fails the bundle.
 * Fix the table, or whatever else refuses its rows; the retries then succeed.
 */
export class RowRefusedError extends Error {
  constructor(table: TableName, reason: string, message: string) {
    super(
      `BigQuery refused 1 row for table ${table} (${reason}: ${message}). The bundle fails and its messages are redelivered`,
    );
    this.name = "RowRefusedError";
  }
}

/**
 * Whether a dead letter may replace a refused row of the table. False for dead letters themselves, and for rollup versions,
 * because the numbers of a day are wrong without its version.
 */
export function canBeDeadLetter(table: TableName): boolean {
  return table === "events";
}

/**
 * Creates the dead letter of a row that BigQuery refused, and counts the refusal.
 * @throws RowRefusedError when no dead letter may replace the row.
 */
export function deadLetterOfRefusedRow(refusal: {
  table: TableName;
  row: object;
  /** BigQuery's reason, such as `invalid`. */
  reason: string;
  message: string;
}): DeadLetter {
  const { table, row, reason, message } = refusal;
  count(`refusedRows.${table}`);
  if (!canBeDeadLetter(table))
    throw new RowRefusedError(table, reason, withoutRowValues(message, [JSON.stringify(row)]));
  return createDeadLetter({
    errorType: `row_refused: ${reason}`,
    errorMessage: message,
    payload: Buffer.from(JSON.stringify(row)),
    source: `table ${table}`,
  });
}
