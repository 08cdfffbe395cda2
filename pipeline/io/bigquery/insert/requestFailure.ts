/**
 * How to handle a failed insertAll request.
 * - `retry`: the rows are not the cause; send them again later.
 * - `refused`: a row, the request's size, the table, or a proxy in between is the cause.
 * - `suspect`: the server failed, perhaps because of a row (emulators answer 500 to an invalid row).
 * - `fatal`: retrying cannot help, for example because a permission is missing.
 */
export type RequestFailure = "retry" | "refused" | "suspect" | "fatal";

const BUSY_REASONS = new Set(["rateLimitExceeded", "quotaExceeded", "userRateLimitExceeded", "backendError"]);

/**
 * Decides by HTTP status and reason. An error without a status means that the server did not answer.
 * https://cloud.google.com/bigquery/docs/error-messages
 */
export function judgeRequestFailure(error: unknown): RequestFailure {
  const { code, errors } = error as { code?: unknown; errors?: { reason?: string }[] };
  if (typeof code !== "number") return "retry";
  if (errors?.some((e) => BUSY_REASONS.has(e.reason ?? ""))) return "retry";
  if (code === 400 || code === 413) return "refused";
  if (code === 500) return "suspect";
  // 404: it takes minutes until all servers know a new table.
  if (code > 500 || code === 404 || code === 408 || code === 429) return "retry";
  return "fatal";
}

/** BigQuery's reason for the failure of a whole request, or else the status or network error code. */
export function failureReason(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: { reason?: string }[] };
  return errors?.[0]?.reason ?? (typeof code === "number" || typeof code === "string" ? String(code) : "unknown");
}
