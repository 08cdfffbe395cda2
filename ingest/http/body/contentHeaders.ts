import type { IncomingMessage } from "node:http";
import { RequestError } from "../errors";

/** Format of a body: one JSON value, or one per line. */
export type BodyFormat = "json" | "ndjson";
/** Compression of a body. */
export type BodyEncoding = "identity" | "gzip" | "br";

/** Beacons are text/plain: any other type needs a preflight, which an unloading page cannot send. */
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

/** Media types for one JSON value. */
export const JSON_TYPES: readonly string[] = ["application/json", "text/plain"];
/** Media types for one JSON value or for one per line. */
export const JSON_OR_NDJSON_TYPES: readonly string[] = Object.keys(FORMATS);

/**
 * The format of a body, which must have one of the media types.
 * @throws RequestError UNSUPPORTED_CONTENT_TYPE for another type or another charset than UTF-8.
 */
export function bodyFormat(request: IncomingMessage, types: readonly string[]): BodyFormat {
  const header = request.headers["content-type"];
  // The common case, without the cost of parsing.
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

/** The compression of a request's body. @throws RequestError UNSUPPORTED_CONTENT_ENCODING */
export function bodyEncoding(request: IncomingMessage): BodyEncoding {
  const header = request.headers["content-encoding"];
  if (header === undefined) return "identity";
  const encoding = Object.hasOwn(ENCODINGS, header.toLowerCase()) ? ENCODINGS[header.toLowerCase()] : undefined;
  if (encoding === undefined) {
    throw new RequestError("UNSUPPORTED_CONTENT_ENCODING", { detail: JSON.stringify(header.slice(0, 100)) });
  }
  return encoding;
}
