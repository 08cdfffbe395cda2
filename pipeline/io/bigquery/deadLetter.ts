import { isUtf8 } from "node:buffer";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";

/** Longer payloads are cut: BigQuery takes rows of up to 10 MB, and a message may have as much. */
const MAX_PAYLOAD_BYTES = 1_000_000;

/** The row that keeps what could not be used, with what was wrong with it. */
export function deadLetterOf(failure: {
  errorType: string;
  errorMessage: string;
  payload: Uint8Array;
  /** Where it came from. */
  source: string;
  /** Epoch ms; default: now. */
  failedAt?: number;
}): DeadLetterRow {
  const { errorType, errorMessage, payload, source, failedAt = Date.now() } = failure;
  const utf8 = isUtf8(payload);
  const kept = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.byteLength, MAX_PAYLOAD_BYTES));
  const cut =
    payload.byteLength > MAX_PAYLOAD_BYTES ? ` (first ${MAX_PAYLOAD_BYTES} of ${payload.byteLength} bytes)` : "";
  return {
    error_type: errorType,
    error_message: errorMessage + cut,
    payload: kept.toString(utf8 ? "utf8" : "base64"),
    payload_encoding: utf8 ? "utf8" : "base64",
    source,
    failed_at: new Date(failedAt).toISOString(),
  };
}
