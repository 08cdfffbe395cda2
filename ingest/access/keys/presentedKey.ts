import type { IncomingMessage } from "node:http";

/** What a key allows. */
export type Purpose = "write" | "read";

const HEADERS = { write: "x-write-key", read: "x-read-key" } as const satisfies Record<Purpose, string>;
const BEARER = /^Bearer +(\S+) *$/i;

/** Where a client puts a key, for messages. */
export const KEY_PLACES: Readonly<Record<Purpose, string>> = {
  write: "X-Write-Key or Authorization: Bearer, or the query parameter key where no header can be sent",
  read: "X-Read-Key or Authorization: Bearer",
};

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
