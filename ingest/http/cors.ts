import { EXPOSED_HEADERS } from "@eventlogger/options/httpOptions";
import type { Middleware } from "koa";

const ANY = "*";

/** Request headers of this service that need permission. */
const REQUEST_HEADERS = [
  "authorization",
  "content-type",
  "content-encoding",
  "idempotency-key",
  "x-read-key",
  "x-request-id",
  "x-write-key",
];
/** A header name (RFC 9110, 5.1). */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const MAX_REQUESTED = 50;

/**
 * The headers that a preflight may use: those of this service, and all that the page asks for, such as the `traceparent` and
 * `baggage` that tracing libraries add to every request.
 */
function allowedHeaders(requested = ""): string {
  const names = requested
    .toLowerCase()
    .split(",", MAX_REQUESTED)
    .map((name) => name.trim());
  return [...new Set([...REQUEST_HEADERS, ...names.filter((name) => HEADER_NAME.test(name))])].join(", ");
}
/** Longer than any browser caches a preflight, s. */
const MAX_AGE = "86400";

/**
 * Tells browsers which pages may send events and read answers (https://fetch.spec.whatwg.org/#http-cors-protocol). It
 * cannot stop other pages from sending: a beacon needs no permission.
 * @param origins as browsers write them; "*" allows any
 */
export function cors(origins: readonly string[]): Middleware {
  const any = origins.includes(ANY);
  const allowed = new Set(origins.map((origin) => origin.toLowerCase()));
  return function cors(ctx, next) {
    if (!any) ctx.set("Vary", "Origin");
    const { origin } = ctx.req.headers;
    if (origin === undefined || !(any || allowed.has(origin))) return next();
    ctx.set("Access-Control-Allow-Origin", any ? ANY : origin);
    if (ctx.method === "OPTIONS" && ctx.req.headers["access-control-request-method"] !== undefined) {
      ctx.set("Access-Control-Allow-Methods", "GET, HEAD, POST");
      ctx.set("Access-Control-Allow-Headers", allowedHeaders(ctx.get("Access-Control-Request-Headers")));
      ctx.set("Access-Control-Max-Age", MAX_AGE);
      ctx.status = 204;
      return;
    }
    ctx.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    return next();
  };
}
