import { createHash } from "node:crypto";
import type { BigQuery } from "@google-cloud/bigquery";
import { ForeignAnswerError } from "@eventlogger/gcp/bigquery/checkedClient";

/** BigQuery's error for one row of a request. */
export interface RowError {
  /** Position of the row in the request. */
  readonly index: number;
  /** For example `invalid`, or `stopped` for a valid row whose request contains an invalid one. */
  readonly reason: string;
  readonly message: string;
}

const KIND = "bigquery#tableDataInsertAllResponse";

interface InsertAllResponse {
  readonly kind: typeof KIND;
  insertErrors?: { index?: number; errors?: { reason?: string; message?: string; location?: string }[] }[];
}

function isInsertAllResponse(body: unknown): body is InsertAllResponse {
  const { kind, insertErrors = [] } = (body ?? {}) as { kind?: unknown; insertErrors?: unknown };
  return kind === KIND && Array.isArray(insertErrors);
}

/** Maximum length of an insertId; bytes. */
const MAX_INSERT_ID_BYTES = 128;

/** BigQuery documents a limit of 10 MB for a row and for a request. Bytes; the larger of the two meanings of MB. */
export const MAX_ROW_BYTES = 10 * 1024 * 1024;

/** The JSON text of a row for insertAll: `{insertId, json}`. Ids of more than 128 bytes are hashed. */
export function insertAllRow(row: object, insertId: string): string {
  const tooLong = Buffer.byteLength(insertId) > MAX_INSERT_ID_BYTES;
  const id = tooLong ? createHash("sha256").update(insertId).digest("base64url") : insertId;
  return `{"insertId":${JSON.stringify(id)},"json":${JSON.stringify(row)}}`;
}

/**
 * Sends one tabledata.insertAll request. Uses the client's plain `request`, because its `insert` traverses every row three
 * times and has its own retry policy.
 * @param rows from {@link insertAllRow}
 * @param skipInvalidRows whether valid rows are inserted when others are refused
 * @returns the rows that were not inserted
 * @throws ApiError (numeric `code`) or a network error when the whole request failed; ForeignAnswerError when the answer is
 *   not BigQuery's, for example a page of a proxy
 */
export async function insertAll(
  bigquery: BigQuery,
  { dataset, table }: { dataset: string; table: string },
  rows: readonly string[],
  skipInvalidRows: boolean,
): Promise<RowError[]> {
  const response = await new Promise<InsertAllResponse>((resolve, reject) => {
    bigquery.request(
      {
        method: "POST",
        uri: `/datasets/${encodeURIComponent(dataset)}/tables/${encodeURIComponent(table)}/insertAll`,
        headers: { "Content-Type": "application/json" },
        body: `{${skipInvalidRows ? '"skipInvalidRows":true,' : ""}"rows":[${rows.join(",")}]}`,
      },
      (error: Error | null, body: unknown) => {
        if (error) reject(error);
        else if (isInsertAllResponse(body)) resolve(body);
        else reject(new ForeignAnswerError("insertAll", body));
      },
    );
  });
  return (response.insertErrors ?? []).map(({ index = 0, errors = [] }) => {
    // A row may have several errors; the first that concerns the row itself is the most informative.
    const error = errors.find((e) => e.reason !== "stopped") ?? errors[0] ?? {};
    const where = error.location ? ` (${error.location})` : "";
    return { index, reason: error.reason || "unknown", message: `${error.message || "no message"}${where}` };
  });
}
