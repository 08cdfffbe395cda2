import { createHash } from "node:crypto";
import type { BigQuery } from "@google-cloud/bigquery";

/** What BigQuery found wrong with one row of a request. */
export interface RowError {
  /** Position of the row in the request. */
  readonly index: number;
  /** Such as `invalid`, or `stopped`: nothing is wrong with the row, but with another one of the request. */
  readonly reason: string;
  readonly message: string;
}

interface InsertAllResponse {
  insertErrors?: { index?: number; errors?: { reason?: string; message?: string; location?: string }[] }[];
}

function isInsertAllResponse(body: unknown): body is InsertAllResponse {
  return typeof body === "object" && body !== null;
}

/** What BigQuery takes as an insertId, in bytes. */
const MAX_INSERT_ID_BYTES = 128;

/** BigQuery documents a limit of 10 MB for a row and for a request. In bytes; the larger of the two meanings of MB. */
export const MAX_ROW_BYTES = 10 * 1024 * 1024;

/** A row as insertAll takes it: JSON text of `{insertId, json}`, made once. Longer ids are hashed. */
export function insertAllRow(row: object, insertId: string): string {
  const tooLong = Buffer.byteLength(insertId) > MAX_INSERT_ID_BYTES;
  const id = tooLong ? createHash("sha256").update(insertId).digest("base64url") : insertId;
  return `{"insertId":${JSON.stringify(id)},"json":${JSON.stringify(row)}}`;
}

/**
 * One tabledata.insertAll request. By the client's plain request, not by its `insert`: that copies and walks every row
 * three times, and sends rows again by a policy of its own.
 * @param rows made by {@link insertAllRow}.
 * @param skipInvalidRows true: good rows are inserted though others are refused.
 * @returns the rows that were not inserted.
 * @throws ApiError (numeric `code`) or a network error when the request as a whole failed; Error when the answer is not
 *   BigQuery's, such as a page of a proxy.
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
        else reject(new Error(`The answer to insertAll is not a JSON object: ${String(body).slice(0, 100)}`));
      },
    );
  });
  return (response.insertErrors ?? []).map(({ index = 0, errors = [] }) => {
    // A row may carry several errors; one that says what is wrong with the row itself tells most.
    const error = errors.find((e) => e.reason !== "stopped") ?? errors[0] ?? {};
    const where = error.location ? ` (${error.location})` : "";
    return { index, reason: error.reason || "unknown", message: `${error.message || "no message"}${where}` };
  });
}
