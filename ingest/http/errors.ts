import type { FieldError } from "@eventlogger/events/validation";

export interface ErrorKind {
  readonly status: number;
  readonly message: string;
  /** Seconds to wait before a retry; sent as `Retry-After`. */
  readonly retryAfterSec?: number;
}

/** Every error that the service answers with. `{}` in a message is replaced by the detail of the error. */
const ERRORS = {
  INVALID_EVENT: { status: 400, message: "is not a valid event" },
  INVALID_JSON: { status: 400, message: "must be JSON: {}" },
  INVALID_BATCH: { status: 400, message: "{}" },
  INVALID_COMPRESSION: { status: 400, message: "is not valid {} data, although Content-Encoding names it" },
  INVALID_IDEMPOTENCY_KEY: { status: 400, message: "Idempotency-Key must be 1 to 255 characters" },
  INVALID_UTF8: { status: 400, message: "must be UTF-8 text" },
  INVALID_PARAMETER: { status: 400, message: "{}" },
  KEY_MISSING: { status: 401, message: "A {}" },
  KEY_UNKNOWN: { status: 401, message: "This {} key is not valid" },
  NOT_FOUND: { status: 404, message: "Not found" },
  METHOD_NOT_ALLOWED: { status: 405, message: "Method {} is not allowed here" },
  BODY_TOO_LARGE: { status: 413, message: "must not be larger than {} bytes" },
  TOO_MANY_EVENTS: { status: 413, message: "must not contain more than {} events" },
  UNSUPPORTED_CONTENT_TYPE: { status: 415, message: "Content-Type must be {}" },
  UNSUPPORTED_CONTENT_ENCODING: { status: 415, message: "Content-Encoding must be gzip, br or identity, not {}" },
  RATE_LIMITED: {
    status: 429,
    message: "Rate limit for this {} exceeded; nothing was accepted, retry later",
    retryAfterSec: 1,
  },
  TOO_MANY_NEW_IDS: {
    status: 429,
    message: "must not be a new one that often: limit for this {} exceeded; nothing was accepted, retry later",
    retryAfterSec: 1,
  },
  /** Only for logs and metrics: the client disconnected before its request was complete. */
  REQUEST_ABORTED: { status: 400, message: "The request ended early" },
  INTERNAL: { status: 500, message: "Internal error" },
  OVERLOADED: {
    status: 503,
    message: "This replica is overloaded; nothing was accepted, retry",
    retryAfterSec: 1,
  },
  TOO_MANY_IN_FLIGHT: {
    status: 503,
    message: "Too many events are waiting for Pub/Sub; nothing was accepted, retry",
    retryAfterSec: 1,
  },
  TOO_MANY_BODIES: {
    status: 503,
    message: "Too many request bodies are in memory; nothing was accepted, retry",
    retryAfterSec: 1,
  },
  NO_CREDENTIALS: {
    status: 503,
    message: "This replica has no valid Google credentials; nothing was accepted, retry later",
    retryAfterSec: 5,
  },
  PUBSUB_TIMEOUT: {
    status: 503,
    message: "Pub/Sub did not answer in time; retry with the same event_id",
    retryAfterSec: 5,
  },
  PUBSUB_REFUSED: {
    status: 503,
    message: "Pub/Sub did not accept all events; retry with the same event_id",
    retryAfterSec: 5,
  },
  TOO_MANY_QUERIES: {
    status: 503,
    message: "Too many ranges are being read from BigQuery; retry",
    retryAfterSec: 1,
  },
  BIGQUERY_UNAVAILABLE: { status: 503, message: "BigQuery is unavailable; retry", retryAfterSec: 5 },
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorCode = keyof typeof ERRORS;

/** The status and the message of each error. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = ERRORS;

export interface RequestErrorDetails {
  /** The invalid field or parameter; "" (default) for the request as a whole. */
  readonly field?: string;
  /** Replaces `{}` in the message. */
  readonly detail?: string;
  /** All problems, when there are several; replaces the message. */
  readonly errors?: readonly FieldError[];
  /** Replaces the value of the table, whole seconds. */
  readonly retryAfterSec?: number;
  readonly cause?: unknown;
}

/** A request that cannot be served, with the answer for the client. Any other exception is answered with 500. */
export class RequestError extends Error {
  readonly status: number;
  readonly retryAfterSec: number | undefined;
  readonly errors: readonly FieldError[];

  constructor(
    readonly code: ErrorCode,
    details: RequestErrorDetails = {},
  ) {
    const kind = errorKinds[code];
    const message = kind.message.replace("{}", () => details.detail ?? "");
    super(message, { cause: details.cause });
    this.name = "RequestError";
    this.status = kind.status;
    this.retryAfterSec = details.retryAfterSec ?? kind.retryAfterSec;
    this.errors = details.errors ?? [{ field: details.field ?? "", message }];
  }
}
