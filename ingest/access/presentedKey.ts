import type { IncomingMessage } from "node:http";

/** What a key is for. */
export type Purpose = "write" | "read";

const HEADERS = { write: "x-write-key", read: "x-read-key" } as const satisfies Record<Purpose, string>;
const BEARER = /^Bearer +(\S+) *$/i;

/** How a client presents a key, for messages. */
export const KEY_PLACES: Readonly<Record<Purpose, string>> = {
  write: "X-Write-Key or Authorization: Bearer, or key in the query where no header can be sent",
  read: "X-Read-Key or Authorization: Bearer",
};

/**
 * The key in a request, or undefined: in a header of its own, as a bearer token, or in the query. The query is for
 * beacons, which have no headers, so it is for writing alone: addresses are kept in too many places.
 */
export function presentedKey(request: IncomingMessage, purpose: Purpose): string | undefined {
  const { headers, url = "" } = request;
  const own = headers[HEADERS[purpose]];
  // More than one of a header are joined by Node, and so are no key.
  if (own !== undefined) return String(own);
  const bearer = headers.authorization && BEARER.exec(headers.authorization)?.[1];
  if (bearer) return bearer;
  if (purpose !== "write") return undefined;
  const query = url.indexOf("?");
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query + 1)).get("key") ?? undefined);
}
