import { count } from "@eventlogger/beam";
import { deadLetterOf } from "./deadLetter";
import type { DeadLetterRow, TableName } from "@eventlogger/gcp/bigquery/tables";

/**
 * Thrown when BigQuery refuses a row that must not be lost and that no dead letter can replace: a dead letter, or a rollup
 * version. It fails the bundle. Repair the table, or whatever refuses its rows; the retries then succeed.
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
 * Whether a dead letter may stand for a refused row of the table. Not for a dead letter itself, and not for a rollup version,
 * without which the numbers of its day are wrong.
 */
export function canBeDeadLetter(table: TableName): boolean {
  return table === "events";
}

/**
 * The dead letter of a row that BigQuery refused. Counts it.
 * @throws RowRefusedError when no dead letter may replace the row.
 */
export function deadLetterOfRefusedRow(refusal: {
  table: TableName;
  row: object;
  /** In BigQuery's words, such as `invalid`. */
  reason: string;
  message: string;
}): DeadLetterRow {
  const { table, row, reason, message } = refusal;
  count(`refusedRows.${table}`);
  if (!canBeDeadLetter(table)) throw new RowRefusedError(table, reason, message);
  return deadLetterOf({
    errorType: `row_refused: ${reason}`,
    errorMessage: message,
    payload: Buffer.from(JSON.stringify(row)),
    source: `table ${table}`,
  });
}
