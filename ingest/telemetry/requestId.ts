import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

/** In lower case, which Node would make of it for each answer. */
const HEADER = "x-request-id";

/**
 * What the ids of proxies, clients and tracers are made of, as a regular expression. No @, so that an address of a person
 * is none. nginx has the same (nginx/nginx.conf.template).
 */
export const REQUEST_ID_PATTERN = "^[A-Za-z0-9._:+/=-]{1,128}$";
const SANE = new RegExp(REQUEST_ID_PATTERN);

/** The id a client or a proxy has given a request, when it is one; else a new UUID. */
export function requestId(header: string | string[] | undefined): string {
  return typeof header === "string" && SANE.test(header) ? header : randomUUID();
}

/** Sends an id with the answer, and keeps it there for {@link requestIdOf}. */
export function setRequestId(response: ServerResponse, id: string): void {
  response.setHeader(HEADER, id);
}

/** The id of the request that is answered by this. */
export function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader(HEADER));
}
