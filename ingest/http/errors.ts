import type { FieldError } from "@eventlogger/events/validation";

export interface ErrorKind {
  readonly status: number;
  readonly message: string;
  /** Seconds a client should wait before it sends the request again; becomes `Retry-After`. */
  readonly retryAfterSec?: number;
}

/** Every error the service answers with. `{}` in a message stands for what the thrower knows more. */
const ERRORS = {
  INVALID_EVENT: { status: 400, message: "is not a valid event" },
  INVALID_JSON: { status: 400, message: "must be JSON: {}" },
  INVALID_BATCH: { status: 400, message: "{}" },
  INVALID_COMPRESSION: { status: 400, message: "must be {} data, as Content-Encoding says" },
  INVALID_IDEMPOTENCY_KEY: { status: 400, message: "Idempotency-Key must be 1 to 255 characters" },
  INVALID_UTF8: { status: 400, message: "must be UTF-8 text" },
  INVALID_PARAMETER: { status: 400, message: "{}" },
  KEY_MISSING: { status: 401, message: "A {}" },
  KEY_UNKNOWN: { status: 401, message: "This {} key is not valid" },
  NOT_FOUND: { status: 404, message: "There is nothing at this address" },
  METHOD_NOT_ALLOWED: { status: 405, message: "This address does not take {}" },
  BODY_TOO_LARGE: { status: 413, message: "must not be larger than {} bytes" },
  TOO_MANY_EVENTS: { status: 413, message: "must not have more than {} events" },
  UNSUPPORTED_CONTENT_TYPE: { status: 415, message: "Content-Type must be {}" },
  UNSUPPORTED_CONTENT_ENCODING: { status: 415, message: "Content-Encoding must be gzip, br or identity, not {}" },
  RATE_LIMITED: {
    status: 429,
    message: "Too much from this {}; nothing was accepted, send the request again later",
    retryAfterSec: 1,
  },
  /** Nobody reads this answer: the client has gone before its request was complete. */
  REQUEST_ABORTED: { status: 400, message: "The request ended early" },
  INTERNAL: { status: 500, message: "Internal error" },
  OVERLOADED: {
    status: 503,
    message: "This replica has more to do than it can; nothing was accepted, send the request again",
    retryAfterSec: 1,
  },
  TOO_MANY_IN_FLIGHT: {
    status: 503,
    message: "Too many events wait for Pub/Sub; nothing was accepted, send the request again",
    retryAfterSec: 1,
  },
  TOO_MANY_BODIES: {
    status: 503,
    message: "Too many bodies are being read; nothing was accepted, send the request again",
    retryAfterSec: 1,
  },
  PUBSUB_TIMEOUT: {
    status: 503,
    message: "Pub/Sub did not answer in time; send the request again with the same event_id",
    retryAfterSec: 5,
  },
  PUBSUB_REFUSED: {
    status: 503,
    message: "Pub/Sub did not take all events; send the request again with the same event_id",
    retryAfterSec: 5,
  },
  BIGQUERY_UNAVAILABLE: { status: 503, message: "BigQuery does not answer; try again", retryAfterSec: 5 },
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorCode = keyof typeof ERRORS;

/** The status and the message of each error. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = ERRORS;

export interface RequestErrorDetails {
  /** The field or parameter at fault; "" (default) when it is the request as a whole. */
  readonly field?: string;
  /** What goes in the place of `{}` in the message of the error's kind. */
  readonly detail?: string;
  /** All that is wrong, when it is more than one thing; replaces the message of the error's kind. */
  readonly errors?: readonly FieldError[];
  /** Replaces that of the error's kind, whole seconds. */
  readonly retryAfterSec?: number;
  readonly cause?: unknown;
}

/** A request that cannot be served, with the answer the client gets. Anything else that is thrown is answered as 500. */
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
