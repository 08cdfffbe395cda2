/**
 * The OpenAPI 3.1 description of the HTTP interface, made of what the service itself works with: the one event schema,
 * the table of errors, and the limits of this replica.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { JSON_OR_NDJSON_TYPES, JSON_TYPES } from "../http/contentHeaders";
import { errorKinds, type ErrorCode } from "../http/errors";
import { REQUEST_ID_PATTERN } from "../telemetry/requestId";
import { MAX_IDEMPOTENCY_KEY } from "../routes/postEvents";
import { ref, schemas, type JsonSchema } from "./schemas";

/** What the document states of a replica's settings. */
export interface DocumentedSettings {
  /** Bytes of the body with one event. */
  readonly bodyLimit: number;
  /** Bytes of the body with many events. */
  readonly batchBodyLimit: number;
  readonly maxBatchEvents: number;
  readonly needsWriteKey: boolean;
  readonly needsReadKey: boolean;
}

interface MediaTypes {
  readonly [mediaType: string]: { readonly schema: JsonSchema };
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: MediaTypes;
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly unknown[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly requestBody?: { readonly required: true; readonly content: MediaTypes };
  /** By status. */
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: Readonly<Record<string, unknown>>;
  /** By path, then by method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

const json = (schema: JsonSchema): MediaTypes => ({ "application/json": { schema } });
const REQUEST_ID_HEADER = {
  description: "The id of the request in the service's logs: that of the request, or a new one",
  required: true,
  schema: { type: "string", pattern: REQUEST_ID_PATTERN },
};
const headers = { "X-Request-Id": REQUEST_ID_HEADER };
const ok = (description: string, schema?: JsonSchema): ResponseObject =>
  schema === undefined ? { description, headers } : { description, headers, content: json(schema) };

const BODY_ERRORS = [
  "INVALID_JSON",
  "INVALID_UTF8",
  "INVALID_COMPRESSION",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_CONTENT_TYPE",
  "UNSUPPORTED_CONTENT_ENCODING",
  "TOO_MANY_BODIES",
] as const satisfies readonly ErrorCode[];
const PUBLISH_ERRORS = [
  "OVERLOADED",
  "TOO_MANY_IN_FLIGHT",
  "PUBSUB_TIMEOUT",
  "PUBSUB_REFUSED",
  "INTERNAL",
] as const satisfies readonly ErrorCode[];

const RETRY_AFTER = {
  description: "Seconds to wait before the request is sent again",
  required: true,
  schema: { type: "integer", minimum: 1 },
};

const ACCESS_ERRORS = ["KEY_MISSING", "KEY_UNKNOWN", "RATE_LIMITED"] as const satisfies readonly ErrorCode[];

const WWW_AUTHENTICATE = { description: "Bearer", required: true, schema: { const: "Bearer" } };

const SECURITY_SCHEMES = {
  bearer: { type: "http", scheme: "bearer", description: "A write key or a read key" },
  writeKeyHeader: { type: "apiKey", in: "header", name: "X-Write-Key" },
  writeKeyQuery: { type: "apiKey", in: "query", name: "key", description: "For beacons, which can send no headers" },
  readKeyHeader: { type: "apiKey", in: "header", name: "X-Read-Key" },
};
const anyOf = (...schemes: (keyof typeof SECURITY_SCHEMES)[]): OperationObject["security"] =>
  schemes.map((scheme) => ({ [scheme]: [] }));

/** The responses for errors: one for each status. */
function errorResponses(codes: readonly ErrorCode[]): Record<string, ResponseObject> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const response = (status: number, own: readonly ErrorCode[]): ResponseObject => ({
    description: own.map((code) => errorKinds[code].message.replace("{}", "…")).join("; "),
    headers: {
      ...headers,
      ...(own.every((code) => errorKinds[code].retryAfterSec !== undefined) ? { "Retry-After": RETRY_AFTER } : {}),
      ...(status === 401 ? { "WWW-Authenticate": WWW_AUTHENTICATE } : {}),
    },
    content: json(ref("Errors")),
  });
  return Object.fromEntries([...byStatus].map(([status, own]) => [String(status), response(status, own)]));
}

const CONTENT_ENCODING = {
  name: "Content-Encoding",
  in: "header",
  description: "How the body is compressed; limits count after decompression",
  schema: { type: "string", enum: ["gzip", "br", "identity"] },
};
const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "Tells batches apart that are alike byte by byte. The ids of events that have none are made of the body and this.",
  schema: { type: "string", minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY },
};
const REQUEST_ID = {
  name: "X-Request-Id",
  in: "header",
  description: "An id for the logs of the service; one that is too long or has other characters is replaced",
  schema: { type: "string" },
};
const day = (name: string, description: string): unknown => ({
  name,
  in: "query",
  description: `${description}, included; YYYY-MM-DD or dd/mm/yyyy`,
  schema: { type: "string", pattern: "^(\\d{4}-\\d{2}-\\d{2}|\\d{2}/\\d{2}/\\d{4})$" },
});

/** A body in any of the media types; of NDJSON OpenAPI can say no more than that it is text. */
function body(types: readonly string[], schema: JsonSchema): OperationObject["requestBody"] {
  const lines = { type: "string", description: "An event in JSON on each line" };
  const content = types.map((type) => [type, { schema: type === "application/x-ndjson" ? lines : schema }] as const);
  return { required: true, content: Object.fromEntries(content) };
}

/** Describes the interface of a replica. */
export function openApiDocument(settings: DocumentedSettings): OpenApiDocument {
  const { bodyLimit, batchBodyLimit, maxBatchEvents } = settings;
  const writeSecurity = settings.needsWriteKey ? anyOf("writeKeyHeader", "bearer", "writeKeyQuery") : undefined;
  const readSecurity = settings.needsReadKey ? anyOf("readKeyHeader", "bearer") : undefined;
  const { version, license } = JSON.parse(readFileSync(join(packageRootOf(__filename), "package.json"), "utf8")) as {
    version: string;
    license: string;
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "eventlogger",
      version,
      license: { name: license, identifier: license },
      description:
        "Takes behaviour events and serves daily rollups. Every path can also be written without the slash at its end. " +
        "What cannot be read as HTTP, has too large headers or takes too long to arrive is answered by 400, 431 and 408, " +
        "an unknown path by 404, a method that a path does not take by 405, all with a body like any other error.",
    },
    paths: {
      "/event/": {
        post: {
          operationId: "postEvent",
          summary: "Takes one event",
          description: `At most ${bodyLimit} bytes. 204 is only sent when Pub/Sub has acknowledged the event.`,
          parameters: [CONTENT_ENCODING, REQUEST_ID],
          security: writeSecurity,
          requestBody: body(JSON_TYPES, ref("Event")),
          responses: {
            204: ok("Pub/Sub has acknowledged the event"),
            ...errorResponses(["INVALID_EVENT", ...ACCESS_ERRORS, ...BODY_ERRORS, ...PUBLISH_ERRORS]),
          },
        },
        get: {
          operationId: "getStatistics",
          summary: "The daily rollups",
          security: readSecurity,
          parameters: [day("from", "The first day"), day("to", "The last day"), REQUEST_ID],
          responses: {
            200: ok("Days ascending", ref("EventStatistics")),
            ...errorResponses([
              "INVALID_PARAMETER",
              ...ACCESS_ERRORS,
              "OVERLOADED",
              "BIGQUERY_UNAVAILABLE",
              "INTERNAL",
            ]),
          },
        },
      },
      "/events/": {
        post: {
          operationId: "postEvents",
          summary: "Takes many events",
          description:
            `At most ${maxBatchEvents} events and ${batchBodyLimit} bytes. 200 is only sent when Pub/Sub has acknowledged ` +
            "all events but the rejected ones, which are wrong and will stay so. After 503, or no answer, send the whole " +
            "batch again, with the same ids or the same byte by byte: events that were taken already count once.",
          parameters: [CONTENT_ENCODING, IDEMPOTENCY_KEY, REQUEST_ID],
          security: writeSecurity,
          requestBody: body(JSON_OR_NDJSON_TYPES, ref("Batch")),
          responses: {
            200: ok("Pub/Sub has acknowledged all events that are not rejected", ref("BatchAnswer")),
            ...errorResponses([
              "INVALID_BATCH",
              "INVALID_IDEMPOTENCY_KEY",
              "TOO_MANY_EVENTS",
              ...ACCESS_ERRORS,
              ...BODY_ERRORS,
              ...PUBLISH_ERRORS,
            ]),
          },
        },
      },
      "/healthz": {
        get: {
          operationId: "getHealth",
          summary: "Whether the process is up",
          responses: { 200: ok("It is", ref("Health")) },
        },
      },
      "/readyz": {
        get: {
          operationId: "getReadiness",
          summary: "Whether events can be taken",
          responses: { 200: ok("They can", ref("Ready")), 503: ok("They cannot, and why", ref("NotReady")) },
        },
      },
      "/metrics": {
        get: {
          operationId: "getMetrics",
          summary: "Metrics of this replica for Prometheus",
          responses: {
            200: {
              description: "The text format of Prometheus",
              headers,
              content: { "text/plain": { schema: { type: "string" } } },
            },
            ...errorResponses(["INTERNAL"]),
          },
        },
      },
      "/openapi.json": {
        get: {
          operationId: "getOpenApi",
          summary: "This document",
          responses: { 200: ok("OpenAPI 3.1", { type: "object" }), ...errorResponses(["OVERLOADED"]) },
        },
      },
    },
    components: { schemas: schemas(maxBatchEvents), securitySchemes: SECURITY_SCHEMES },
  };
}
