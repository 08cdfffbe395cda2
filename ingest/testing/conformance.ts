import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";
import type { OpenApiDocument } from "../openapi/document";

/** The parts of an answer that the document describes. */
export interface Answer {
  readonly method: string;
  /** With or without the trailing slash; no query. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  readonly retryAfter: string | null;
  readonly requestId: string | null;
  /** The header X-Event-Id. */
  readonly eventId: string | null;
  /** The header X-Event-Warnings. */
  readonly warnings: string | null;
  /** "" without a body. */
  readonly body: string;
}

const pointer = (...keys: string[]): string =>
  keys.map((key) => "/" + encodeURIComponent(key.replace(/~/g, "~0").replace(/\//g, "~1"))).join("");

/** @returns a function that describes how an answer deviates from the document; undefined when it conforms */
export function conformance(document: OpenApiDocument): (answer: Answer) => string | undefined {
  // Formats are only annotations here, and OpenAPI adds its own keywords.
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "openapi");
  const compiled = new Map<string, ValidateFunction>();
  const schemaAt = (at: string): ValidateFunction => {
    const known = compiled.get(at) ?? ajv.compile({ $ref: `openapi#${at}` });
    compiled.set(at, known);
    return known;
  };
  const paths = new Map(Object.keys(document.paths).map((path) => [path.replace(/\/$/, ""), path]));

  return ({ method, path, status, contentType, retryAfter, requestId, eventId, warnings, body }) => {
    const documentedPath = paths.get(path.replace(/\/$/, ""));
    const operation = documentedPath && document.paths[documentedPath]?.[method.toLowerCase()];
    if (!documentedPath || !operation) return `${method} ${path} is not documented`;
    const response = operation.responses[status];
    const what = `${method} ${path} ${status}`;
    if (!response) return `${what} is not documented`;
    if ((response.headers?.["Retry-After"] !== undefined) !== (retryAfter !== null)) {
      return `${what}: Retry-After is ${retryAfter ?? "absent"}`;
    }
    if (retryAfter !== null && !/^[1-9]\d*$/.test(retryAfter)) return `${what}: Retry-After is ${retryAfter}`;
    if ((response.headers?.["X-Request-Id"] !== undefined) !== (requestId !== null)) {
      return `${what}: X-Request-Id is ${requestId ?? "absent"}`;
    }
    if ((response.headers?.["X-Event-Id"] !== undefined) !== (eventId !== null)) {
      return `${what}: X-Event-Id is ${eventId ?? "absent"}`;
    }
    const warned = response.headers?.["X-Event-Warnings"] as { schema: { pattern: string } } | undefined;
    if (warnings !== null && !(warned && new RegExp(warned.schema.pattern).test(warnings))) {
      return `${what}: X-Event-Warnings is ${warnings}`;
    }
    if (!response.content) return body === "" ? undefined : `${what} has a body`;
    const type = contentType?.split(";")[0] ?? "";
    if (!response.content[type]) return `${what}: the type ${type} is not documented`;
    const keys = [
      "paths",
      documentedPath,
      method.toLowerCase(),
      "responses",
      String(status),
      "content",
      type,
      "schema",
    ];
    const matches = schemaAt(pointer(...keys));
    return matches(type === "application/json" ? JSON.parse(body) : body)
      ? undefined
      : `${what}: ${ajv.errorsText(matches.errors)}`;
  };
}

/** The parts of a response that {@link conformance} checks. */
export async function answerOf(method: string, url: string, response: Response): Promise<Answer> {
  return {
    method,
    path: new URL(url).pathname,
    status: response.status,
    contentType: response.headers.get("content-type"),
    retryAfter: response.headers.get("retry-after"),
    requestId: response.headers.get("x-request-id"),
    eventId: response.headers.get("x-event-id"),
    warnings: response.headers.get("x-event-warnings"),
    body: await response.text(),
  };
}
