import type { IncomingMessage } from "node:http";
import { RequestError } from "./errors";

/** What a body can be: one JSON value, or one on each line. */
export type BodyFormat = "json" | "ndjson";
/** How a body can be compressed. */
export type BodyEncoding = "identity" | "gzip" | "br";

/** Beacons of browsers are text/plain: with another type they would need a preflight, which a page that goes away has not. */
const FORMATS: Readonly<Record<string, BodyFormat>> = {
  "application/json": "json",
  "text/plain": "json",
  "application/x-ndjson": "ndjson",
};
const ENCODINGS: Readonly<Record<string, BodyEncoding>> = {
  identity: "identity",
  gzip: "gzip",
  "x-gzip": "gzip",
  br: "br",
};

/** Media types of a body with one JSON value. */
export const JSON_TYPES: readonly string[] = ["application/json", "text/plain"];
/** Media types of a body with a JSON value, or with one on each line. */
export const JSON_OR_NDJSON_TYPES: readonly string[] = Object.keys(FORMATS);

/**
 * The format of a body of one of the media types.
 * @throws RequestError UNSUPPORTED_CONTENT_TYPE when the type is another one, or the text is not UTF-8.
 */
export function bodyFormat(request: IncomingMessage, types: readonly string[]): BodyFormat {
  const header = request.headers["content-type"];
  // Nearly all: without the cost of taking it apart.
  if (header === "application/json") return "json";
  const [type = "", ...parameters] = (header ?? "").toLowerCase().split(";");
  const format = types.includes(type.trim()) ? FORMATS[type.trim()] : undefined;
  const charset = parameters.map((text) => /^\s*charset\s*=\s*"?([^\s"]*)/.exec(text)?.[1]).find(Boolean);
  if (format === undefined || (charset !== undefined && charset !== "utf-8" && charset !== "utf8")) {
    const given = header ? JSON.stringify(header.slice(0, 100)) : "absent";
    throw new RequestError("UNSUPPORTED_CONTENT_TYPE", { detail: `${types.join(" or ")} in UTF-8, not ${given}` });
  }
  return format;
}

/** How the body of a request is compressed. @throws RequestError UNSUPPORTED_CONTENT_ENCODING */
export function bodyEncoding(request: IncomingMessage): BodyEncoding {
  const header = request.headers["content-encoding"];
  if (header === undefined) return "identity";
  const encoding = Object.hasOwn(ENCODINGS, header.toLowerCase()) ? ENCODINGS[header.toLowerCase()] : undefined;
  if (encoding === undefined) {
    throw new RequestError("UNSUPPORTED_CONTENT_ENCODING", { detail: JSON.stringify(header.slice(0, 100)) });
  }
  return encoding;
}
