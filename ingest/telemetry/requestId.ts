import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

/** In lower case, so that Node need not convert it for each answer. */
const HEADER = "x-request-id";

/**
 * Valid request ids, as a regular expression: the characters that proxies, clients and tracers use. It excludes @, so that
 * no e-mail address is logged. nginx has the same pattern (nginx/nginx.conf.template).
 */
export const REQUEST_ID_PATTERN = "^[A-Za-z0-9._:+/=-]{1,128}$";
const SANE = new RegExp(REQUEST_ID_PATTERN);

/** The id in the header if it is valid, else a new UUID. */
export function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && SANE.test(header) ? header : randomUUID();
}

/** Sets the id on the answer, where {@link requestIdOf} finds it. */
export function setRequestId(response: ServerResponse, id: string): void {
  response.setHeader(HEADER, id);
}

/** The id of the request that an answer belongs to. */
export function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader(HEADER));
}
