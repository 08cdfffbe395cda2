import { createHash } from "node:crypto";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";

/** A dead letter as it is stored in the table, and in a line of the files, with its id. */
export interface StoredDeadLetter extends DeadLetterRow {
  readonly id: string;
}

/**
 * The id of a dead letter: the same when its message is redelivered, so that BigQuery and the readers of the files find
 * duplicates. 43 characters.
 */
export function deadLetterId({ source, payload }: Pick<DeadLetterRow, "source" | "payload">): string {
  return createHash("sha256").update(`${source}\n${payload}`).digest("base64url");
}
