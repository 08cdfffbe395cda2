import { EXPOSED_HEADERS } from "@eventlogger/options/httpOptions";
import type { Middleware } from "koa";

const ANY = "*";

/** Request headers that need permission. */
const REQUEST_HEADERS =
  "authorization, content-type, content-encoding, idempotency-key, x-read-key, x-request-id, x-write-key";
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
      ctx.set("Access-Control-Allow-Headers", REQUEST_HEADERS);
      ctx.set("Access-Control-Max-Age", MAX_AGE);
      ctx.status = 204;
      return;
    }
    ctx.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    return next();
  };
}
