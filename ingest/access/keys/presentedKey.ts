import type { IncomingMessage } from "node:http";

/** What a key allows. */
export type Purpose = "write" | "read";

const HEADERS = { write: "x-write-key", read: "x-read-key" } as const satisfies Record<Purpose, string>;
const BEARER = /^Bearer +(\S+) *$/i;
const BASIC = /^Basic +(\S+) *$/i;

/** Where a client puts a key, for messages. */
export const KEY_PLACES: Readonly<Record<Purpose, string>> = {
  write: "X-Write-Key or Authorization: Bearer, or the query parameter key where no header can be sent",
  read: "X-Read-Key or Authorization: Bearer",
};

/** Where Segment's libraries put a write key. */
export const SEGMENT_KEY_PLACES =
  "the user name of Authorization: Basic, X-Write-Key or Authorization: Bearer, or writeKey in the body";

/**
 * The write key in a request of one of Segment's libraries: as in other requests, or as the user name of Basic
 * authentication, whose password is ignored. Undefined without one: it may be in the body.
 */
export function presentedSegmentKey(request: IncomingMessage): string | undefined {
  const { authorization } = request.headers;
  const basic = authorization && BASIC.exec(authorization)?.[1];
  if (basic && request.headers[HEADERS.write] === undefined) {
    const [user = ""] = Buffer.from(basic, "base64").toString("utf8").split(":", 1);
    // Node's decoder never throws; the user name of broken text is not a valid key.
    if (user !== "") return user;
  }
  return presentedKey(request, "write");
}

/**
 * The key in a request: in its own header, as a bearer token, or in the query; undefined without one. The query is only
 * for write keys of beacons, which cannot send headers: URLs are logged in too many places.
 */
export function presentedKey(request: IncomingMessage, purpose: Purpose): string | undefined {
  const { headers, url = "" } = request;
  const own = headers[HEADERS[purpose]];
  // Node joins repeated headers, so the result is not a valid key.
  if (own !== undefined) return String(own);
  const bearer = headers.authorization && BEARER.exec(headers.authorization)?.[1];
  if (bearer) return bearer;
  if (purpose !== "write") return undefined;
  const query = url.indexOf("?");
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query + 1)).get("key") ?? undefined);
}
