/**
 * The OpenAPI 3.1 document of the HTTP interface. It is derived from what the service itself uses: the event schema, the
 * table of errors, and the limits of this replica.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { UnknownFields } from "@eventlogger/events/validation";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { JSON_OR_NDJSON_TYPES, JSON_TYPES } from "../http/body/contentHeaders";
import { errorKinds, type ErrorCode } from "../http/errors";
import { segmentPaths } from "../http/routePattern";
import { REQUEST_ID_PATTERN } from "../telemetry/requestId";
import { EVENT_ID_HEADER, WARNINGS_HEADER } from "../routes/postEvent";
import { ANSWER_FORMATS, FORMAT_PARAMETER } from "../routes/answers/answerFormat";
import { DEFAULT_DAYS, MAX_DAYS } from "../routes/dateRange";
import { DATE_FORMAT_PARAMETER, DATE_FORMATS } from "../routes/getEvent";
import { DEFAULT_VALUES, MAX_VALUES } from "../routes/getBreakdowns";
import { MAX_IDEMPOTENCY_KEY } from "../routes/postEvents";
import { ref, type JsonSchema } from "./schemaParts";
import { schemas } from "./schemas";
import { segmentBody, segmentExample } from "./segmentSchemas";

/** The settings of a replica that the document states. */
export interface DocumentedSettings {
  /** Maximum body size of POST /event/, bytes. */
  readonly bodyLimit: number;
  /** Maximum body size of POST /events/, bytes. */
  readonly batchBodyLimit: number;
  readonly maxBatchEvents: number;
  /** YYYY-MM-DD. */
  readonly earliestEvent: string;
  readonly unknownFields: UnknownFields;
  /** The path in front of the endpoints for Segment's libraries. */
  readonly segmentPath: string;
  readonly needsWriteKey: boolean;
  readonly needsReadKey: boolean;
}

interface MediaTypes {
  readonly [mediaType: string]: { readonly schema: JsonSchema; readonly example?: unknown };
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
  description: "Id of the request in the logs of the service: the one that the request had, or a new one",
  required: true,
  schema: { type: "string", pattern: REQUEST_ID_PATTERN },
};
const headers = { "X-Request-Id": REQUEST_ID_HEADER };
const ok = (description: string, schema?: JsonSchema): ResponseObject =>
  schema === undefined ? { description, headers } : { description, headers, content: json(schema) };

const EVENT_WARNINGS = {
  description: "Warnings about the event, each with its field and its kind; absent when there are none",
  schema: { type: "string", pattern: "^[\\w-]+ [a-z_]+(, [\\w-]+ [a-z_]+)*$" },
  example: "user_id placeholder",
};
const EVENT_ID = {
  description:
    "The event_id: as it is when it consists of visible ASCII characters without %, otherwise percent-encoded UTF-8",
  required: true,
  schema: { type: "string", minLength: 1 },
};

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
  "NO_CREDENTIALS",
  "PUBSUB_TIMEOUT",
  "PUBSUB_REFUSED",
  "INTERNAL",
] as const satisfies readonly ErrorCode[];

const RETRY_AFTER = {
  description: "Seconds to wait before a retry",
  required: true,
  schema: { type: "integer", minimum: 1 },
};

const ACCESS_ERRORS = ["KEY_MISSING", "KEY_UNKNOWN", "RATE_LIMITED"] as const satisfies readonly ErrorCode[];
const WRITE_ERRORS = [...ACCESS_ERRORS, "TOO_MANY_NEW_IDS"] as const satisfies readonly ErrorCode[];

const WWW_AUTHENTICATE = { description: "Bearer", required: true, schema: { const: "Bearer" } };

const SECURITY_SCHEMES = {
  bearer: { type: "http", scheme: "bearer", description: "A write key or a read key" },
  writeKeyHeader: { type: "apiKey", in: "header", name: "X-Write-Key" },
  writeKeyQuery: { type: "apiKey", in: "query", name: "key", description: "For beacons, which cannot send headers" },
  readKeyHeader: { type: "apiKey", in: "header", name: "X-Read-Key" },
  basic: { type: "http", scheme: "basic", description: "A write key as the user name; the password is ignored" },
};
const anyOf = (...schemes: (keyof typeof SECURITY_SCHEMES)[]): OperationObject["security"] =>
  schemes.map((scheme) => ({ [scheme]: [] }));

/** The error responses, one for each status. */
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
  description: "Compression of the body; limits apply after decompression",
  schema: { type: "string", enum: ["gzip", "br", "identity"] },
};
const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  description: "Distinguishes identical batches. Events without an id get one derived from the body and this key.",
  schema: { type: "string", minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY },
};
const REQUEST_ID = {
  name: "X-Request-Id",
  in: "header",
  description: "Id for the logs of the service; an id that is too long or has other characters is replaced",
  schema: { type: "string" },
};
const text = (description: string): unknown => ({ description, required: true, schema: { type: "string" } });
const SCRIPT_HEADERS = {
  ...headers,
  ETag: text("Changes with the script and its compression"),
  "Cache-Control": text("How long the script may be cached"),
  "Access-Control-Allow-Origin": text("*: pages of any origin may read the script"),
};
const PAGE_HEADERS = {
  ...headers,
  ETag: text("Changes with the page and its compression"),
  "Content-Security-Policy": text("What the page may do"),
};
const IF_NONE_MATCH = {
  name: "If-None-Match",
  in: "header",
  description: "ETag of a cached copy; the answer is 304 if it is current",
  schema: { type: "string" },
};
const day = (name: string, description: string): unknown => ({
  name,
  in: "query",
  description: `${description}; YYYY-MM-DD or dd/mm/yyyy`,
  schema: { type: "string", pattern: "^(\\d{4}-\\d{2}-\\d{2}|\\d{2}/\\d{2}/\\d{4})$" },
});

const RANGE_PARAMETERS = [
  day("from", `The first day; by default ${DEFAULT_DAYS} days end with the last day, both included`),
  day("to", "The last day, included; by default tomorrow in time_zone"),
  REQUEST_ID,
];
const FORMAT = {
  name: FORMAT_PARAMETER,
  in: "query",
  description: "Format of the answer; by default the one that Accept prefers, and JSON without a preference",
  schema: { type: "string", enum: ANSWER_FORMATS },
};
const DATE_FORMAT = {
  name: DATE_FORMAT_PARAMETER,
  in: "query",
  description: "dmy: dd/mm/yyyy, the default; iso: YYYY-MM-DD, which CSV always has",
  schema: { type: "string", enum: DATE_FORMATS },
};
/** An answer as JSON, or as a CSV file. */
const jsonOrCsv = (description: string, schema: JsonSchema, columns: string): ResponseObject => ({
  description,
  headers: { ...headers, Vary: text("Accept: the format of the answer can depend on this header") },
  content: {
    ...json(schema),
    "text/csv": { schema: { type: "string", description: `RFC 4180, with the columns ${columns}` } },
  },
});
const DIMENSION = {
  name: "dimension",
  in: "query",
  required: true,
  description: "What the events are counted by: a field such as country, or a property such as properties.plan",
  schema: { type: "string" },
};
const LIMIT = {
  name: "limit",
  in: "query",
  description: "Maximum number of values",
  schema: { type: "integer", minimum: 1, maximum: MAX_VALUES, default: DEFAULT_VALUES },
};
const READ_ERRORS = errorResponses([
  "INVALID_PARAMETER",
  ...ACCESS_ERRORS,
  "OVERLOADED",
  "TOO_MANY_QUERIES",
  "BIGQUERY_UNAVAILABLE",
  "INTERNAL",
]);

/** An event as an app sends it. Any other time since the earliest one that the replica accepts is as good. */
const eventExample = (earliestEvent: string): object => ({
  type: "event",
  session_id: "s-7f3a",
  event_name: "page_view",
  event_time: `${earliestEvent}T12:00:00Z`,
  user_id: "u-1001",
  page: "/pricing",
  country: "DE",
  properties: { plan: "pro" },
});

/** A body in any of the media types. OpenAPI can only describe NDJSON as text. */
function body(types: readonly string[], schema: JsonSchema, example: object): OperationObject["requestBody"] {
  const lines = { type: "string", description: "One event as JSON per line" };
  const linesExample = [example].flat().map((event) => `${JSON.stringify(event)}\n`);
  const content = types.map((type): [string, MediaTypes[string]] =>
    type === "application/x-ndjson"
      ? [type, { schema: lines, example: linesExample.join("") }]
      : [type, { schema, example }],
  );
  return { required: true, content: Object.fromEntries(content) };
}

/** The endpoints for Segment's libraries. */
function segmentOperations({ segmentPath, earliestEvent, ...settings }: DocumentedSettings): OpenApiDocument["paths"] {
  const { bodyLimit, batchBodyLimit, maxBatchEvents, needsWriteKey } = settings;
  const operations = segmentPaths(segmentPath).map(({ endpoint, path }) => {
    const isBatch = endpoint === "batch";
    const limits = isBatch ? `${maxBatchEvents} calls and ${batchBodyLimit} bytes` : `${bodyLimit} bytes`;
    const post: OperationObject = {
      operationId: `postSegment${path.slice(path.lastIndexOf("/") + 1)}`,
      summary: isBatch
        ? "Accepts a batch of calls of Segment's libraries"
        : `Accepts a ${endpoint} call of Segment's libraries`,
      description:
        `At most ${limits}. Each call becomes an event, with the same rules as posted events. The key may also be ` +
        "writeKey in the body." +
        (isBatch ? " 400 when no call is valid; otherwise the answer lists the calls that were rejected." : ""),
      parameters: [CONTENT_ENCODING, REQUEST_ID],
      security: needsWriteKey ? anyOf("basic", "writeKeyHeader", "bearer", "writeKeyQuery") : undefined,
      requestBody: body(JSON_TYPES, segmentBody(endpoint), segmentExample(endpoint, `${earliestEvent}T12:00:00Z`)),
      responses: {
        200: ok("Pub/Sub has acknowledged all calls that were not rejected", ref("SegmentAnswer")),
        ...errorResponses([
          "INVALID_EVENT",
          ...(isBatch ? (["INVALID_BATCH", "TOO_MANY_EVENTS"] as const) : []),
          ...WRITE_ERRORS,
          ...BODY_ERRORS,
          ...PUBLISH_ERRORS,
        ]),
      },
    };
    return [path, { post }] as const;
  });
  return Object.fromEntries(operations);
}

/** Creates the OpenAPI document of a replica. */
export function openApiDocument(settings: DocumentedSettings): OpenApiDocument {
  const { bodyLimit, batchBodyLimit, maxBatchEvents } = settings;
  const example = eventExample(settings.earliestEvent);
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
        "Accepts behaviour events and serves daily rollups. The trailing slash of a path is optional. Invalid HTTP is " +
        "answered with 400, too large headers with 431, a request that arrives too slowly with 408, an unknown path with " +
        "404, and a method that a path does not allow with 405, all with a body like any other error.",
    },
    paths: {
      "/event/": {
        post: {
          operationId: "postEvent",
          summary: "Accepts one event",
          description: `At most ${bodyLimit} bytes. The answer is 204 only after Pub/Sub has acknowledged the event.`,
          parameters: [CONTENT_ENCODING, REQUEST_ID],
          security: writeSecurity,
          requestBody: body(JSON_TYPES, ref("Event"), example),
          responses: {
            204: {
              description: "Pub/Sub has acknowledged the event",
              headers: { ...headers, [EVENT_ID_HEADER]: EVENT_ID, [WARNINGS_HEADER]: EVENT_WARNINGS },
            },
            ...errorResponses(["INVALID_EVENT", ...WRITE_ERRORS, ...BODY_ERRORS, ...PUBLISH_ERRORS]),
          },
        },
        get: {
          operationId: "getStatistics",
          summary: "Returns the daily rollups",
          description: `Of the last ${DEFAULT_DAYS} days by default; a range has at most ${MAX_DAYS} days. total_users is over all days.`,
          security: readSecurity,
          parameters: [DATE_FORMAT, FORMAT, ...RANGE_PARAMETERS],
          responses: {
            200: jsonOrCsv(
              "The rollups, with days in ascending order",
              ref("EventStatistics"),
              "of daily_stats, and a row for each day",
            ),
            ...READ_ERRORS,
          },
        },
      },
      "/retention/": {
        get: {
          operationId: "getRetention",
          summary: "Returns the weekly retention",
          description:
            "Of the cohorts whose weeks begin in the range: the persons by the ISO week of their first day, and in how many of " +
            `the weeks after it they were active. The range is of the last ${DEFAULT_DAYS} days by default, and has at most ${MAX_DAYS} days.`,
          security: readSecurity,
          parameters: [FORMAT, ...RANGE_PARAMETERS],
          responses: {
            200: jsonOrCsv(
              "The cohorts in ascending order",
              ref("RetentionStatistics"),
              "cohort_week, cohort_size, week_offset and person_count",
            ),
            ...READ_ERRORS,
          },
        },
      },
      "/breakdowns/": {
        get: {
          operationId: "getBreakdown",
          summary: "Returns the values of a dimension with most events",
          description:
            `Of the last ${DEFAULT_DAYS} days by default; a range has at most ${MAX_DAYS} days. The numbers are those of the last ` +
            "refresh. other has the exact numbers of all values that are not listed.",
          security: readSecurity,
          parameters: [DIMENSION, FORMAT, ...RANGE_PARAMETERS, LIMIT],
          responses: {
            200: jsonOrCsv(
              "The values in descending order of events",
              ref("BreakdownAnswer"),
              "value, events, sessions, person_days and persons; the last row, (other), has all values that are not listed",
            ),
            ...READ_ERRORS,
          },
        },
      },
      "/hours/": {
        get: {
          operationId: "getHours",
          summary: "Returns the hours of a day",
          description: "The numbers are those of the last refresh.",
          security: readSecurity,
          parameters: [day("date", "The day; by default today in time_zone"), FORMAT, REQUEST_ID],
          responses: {
            200: jsonOrCsv("The hours in ascending order", ref("HoursAnswer"), "hour, events, persons and sessions"),
            ...READ_ERRORS,
          },
        },
      },
      "/events/": {
        post: {
          operationId: "postEvents",
          summary: "Accepts many events",
          description:
            `At most ${maxBatchEvents} events and ${batchBodyLimit} bytes. The answer is 200 only after Pub/Sub has ` +
            "acknowledged all events except the rejected ones. Rejected events are invalid: do not retry them. After 503 or " +
            "no answer, send the whole batch again, byte by byte the same or with the same ids; events that were already " +
            "published then count once.",
          parameters: [CONTENT_ENCODING, IDEMPOTENCY_KEY, REQUEST_ID],
          security: writeSecurity,
          requestBody: body(JSON_OR_NDJSON_TYPES, ref("Batch"), [example]),
          responses: {
            200: ok("Pub/Sub has acknowledged all events that were not rejected", ref("BatchAnswer")),
            ...errorResponses([
              "INVALID_BATCH",
              "INVALID_IDEMPOTENCY_KEY",
              "TOO_MANY_EVENTS",
              ...WRITE_ERRORS,
              ...BODY_ERRORS,
              ...PUBLISH_ERRORS,
            ]),
          },
        },
      },
      ...segmentOperations(settings),
      "/client/eventlogger.js": {
        get: {
          operationId: "getClientScript",
          summary: "Returns the browser client for a script tag",
          description: "Defines the global `eventlogger`. Pages of any origin may load it, with or without integrity.",
          parameters: [IF_NONE_MATCH, REQUEST_ID],
          responses: {
            200: {
              description: "The script, compressed with br or gzip if the request accepts it",
              headers: SCRIPT_HEADERS,
              content: { "text/javascript": { schema: { type: "string" } } },
            },
            304: { description: "The script has not changed", headers: SCRIPT_HEADERS },
            ...errorResponses(["OVERLOADED"]),
          },
        },
      },
      "/dashboard/": {
        get: {
          operationId: "getDashboard",
          summary: "Returns the page that shows the numbers",
          description: "The page itself needs no key. It asks for the read key when there are any.",
          parameters: [IF_NONE_MATCH, REQUEST_ID],
          responses: {
            200: {
              description: "The page, compressed with br or gzip if the request accepts it",
              headers: PAGE_HEADERS,
              content: { "text/html": { schema: { type: "string" } } },
            },
            304: { description: "The page has not changed", headers: PAGE_HEADERS },
            ...errorResponses(["OVERLOADED"]),
          },
        },
      },
      "/healthz": {
        get: {
          operationId: "getHealth",
          summary: "Reports whether the process is up",
          responses: { 200: ok("The process is up", ref("Health")) },
        },
      },
      "/readyz": {
        get: {
          operationId: "getReadiness",
          summary: "Reports whether events can be accepted",
          responses: {
            200: ok("Events can be accepted", ref("Ready")),
            503: ok("Events cannot be accepted, with the reason", ref("NotReady")),
          },
        },
      },
      "/metrics": {
        get: {
          operationId: "getMetrics",
          summary: "Returns the metrics of this replica for Prometheus",
          responses: {
            200: {
              description: "Metrics in the Prometheus text format",
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
          summary: "Returns this document",
          responses: { 200: ok("OpenAPI 3.1", { type: "object" }), ...errorResponses(["OVERLOADED"]) },
        },
      },
    },
    components: { schemas: schemas(settings), securitySchemes: SECURITY_SCHEMES },
  };
}
