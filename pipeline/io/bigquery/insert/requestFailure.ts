/**
 * What a failed insertAll request calls for.
 * - `retry`: nothing is wrong with the rows; send them again later.
 * - `refused`: something is wrong with a row of the request, its size, the table, or a proxy on the way.
 * - `suspect`: a server in trouble, or a server that a row makes stumble (emulators answer 500 to an invalid row).
 * - `fatal`: sending again cannot help, such as a missing permission.
 */
export type RequestFailure = "retry" | "refused" | "suspect" | "fatal";

const BUSY_REASONS = new Set(["rateLimitExceeded", "quotaExceeded", "userRateLimitExceeded", "backendError"]);

/**
 * Judges by HTTP status and reason; an error without a status never reached the server, or its answer never came back.
 * https://cloud.google.com/bigquery/docs/error-messages
 */
export function judgeRequestFailure(error: unknown): RequestFailure {
  const { code, errors } = error as { code?: unknown; errors?: { reason?: string }[] };
  if (typeof code !== "number") return "retry";
  if (errors?.some((e) => BUSY_REASONS.has(e.reason ?? ""))) return "retry";
  if (code === 400 || code === 413) return "refused";
  if (code === 500) return "suspect";
  // 404: it takes minutes until a new table is known to all servers that take rows.
  if (code > 500 || code === 404 || code === 408 || code === 429) return "retry";
  return "fatal";
}

/** The reason that BigQuery gave for failing a whole request, or the status. */
export function failureReason(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: { reason?: string }[] };
  return errors?.[0]?.reason ?? (typeof code === "number" || typeof code === "string" ? String(code) : "unknown");
}
