import { count } from "../beam";
import { deadLetterOf } from "./deadLetter";
import type { DeadLetterRow, TableName } from "./tables";

/**
 * The dead letter of a row that BigQuery refused; undefined when the row is a dead letter itself: there is nowhere left
 * to put it, and it is logged. Counts either.
 */
export function deadLetterOfRefusedRow(refusal: {
  table: TableName;
  row: object;
  /** In BigQuery's words, such as `invalid`. */
  reason: string;
  message: string;
}): DeadLetterRow | undefined {
  const { table, row, reason, message } = refusal;
  count(`refusedRows.${table}`);
  if (table === "dead_letters") {
    console.error(`BigQuery refused a dead letter (${reason}: ${message}): ${JSON.stringify(row)}`);
    return undefined;
  }
  return deadLetterOf({
    errorType: `row_refused: ${reason}`,
    errorMessage: message,
    payload: Buffer.from(JSON.stringify(row)),
    source: `table ${table}`,
  });
}
