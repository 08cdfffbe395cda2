import { isUtf8 } from "node:buffer";

/** A message or row that could not be used, with the reason. Plain JSON values, so that any coder can carry it. */
export interface DeadLetter {
  /** A stable, machine-readable reason such as `not_json`. */
  readonly errorType: string;
  readonly errorMessage: string;
  /** The payload as text; base64 when it is not UTF-8. */
  readonly payload: string;
  readonly payloadEncoding: "utf8" | "base64";
  /** Where it came from: a message id, or the table that refused the row. */
  readonly source: string;
  /** Epoch milliseconds. */
  readonly failedAt: number;
}

/** Longer payloads are truncated: a message can be as large as the largest row that BigQuery accepts (10 MB). */
const MAX_PAYLOAD_BYTES = 1_000_000;

const TRUNCATED = / \(first \d+ of \d+ bytes\)$/;

/** Whether a dead letter with this error message contains only the first part of its payload. */
export function isTruncated(errorMessage: string): boolean {
  return TRUNCATED.test(errorMessage);
}

/**
 * Creates a dead letter. Truncates payloads over 1,000,000 bytes and notes that in the error message.
 * @param failure.failedAt epoch milliseconds; default: now
 */
export function createDeadLetter(failure: {
  errorType: string;
  errorMessage: string;
  payload: Uint8Array;
  source: string;
  failedAt?: number;
}): DeadLetter {
  const { errorType, errorMessage, payload, source, failedAt = Date.now() } = failure;
  const { byteLength } = payload;
  const payloadEncoding = isUtf8(payload) ? "utf8" : "base64";
  const kept = Buffer.from(payload.buffer, payload.byteOffset, Math.min(byteLength, MAX_PAYLOAD_BYTES));
  const truncated = byteLength > MAX_PAYLOAD_BYTES ? ` (first ${MAX_PAYLOAD_BYTES} of ${byteLength} bytes)` : "";
  return {
    errorType,
    errorMessage: errorMessage + truncated,
    payload: kept.toString(payloadEncoding),
    payloadEncoding,
    source,
    failedAt,
  };
}
