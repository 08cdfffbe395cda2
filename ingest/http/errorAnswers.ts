import type { RouterContext } from "@koa/router";
import type { Middleware } from "koa";
import type { Logger } from "pino";
import { RequestError, type ErrorCode } from "./errors";
import { requestContextOf } from "../telemetry/requestContext";
import { requestIdOf } from "../telemetry/requestId";
import type { RouteOf } from "./routePattern";

const BODY_NOT_READ: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["BODY_TOO_LARGE", "TOO_MANY_BODIES"]);

/** Turns exceptions into answers. Unexpected errors are logged; the client gets a generic 500. */
export function answerErrors(logger: Logger, routeOf: RouteOf): Middleware {
  return async function answerErrors(ctx, next) {
    try {
      await next();
    } catch (error) {
      let known: RequestError;
      if (error instanceof RequestError) known = error;
      else {
        logger.error(
          { err: error, requestId: requestIdOf(ctx.res), method: ctx.method, route: routeOf(ctx.url) },
          "unexpected error",
        );
        known = new RequestError("INTERNAL");
      }
      requestContextOf(ctx).error = known.code;
      ctx.status = known.status;
      ctx.body = { errors: known.errors };
      if (known.retryAfterSec !== undefined) ctx.set("Retry-After", String(known.retryAfterSec));
      if (known.status === 401) ctx.set("WWW-Authenticate", "Bearer");
      // Node would read the rest of the body to keep the connection; not worth it for one that is far too large or slow.
      if (!ctx.req.complete && BODY_NOT_READ.has(known.code)) ctx.set("Connection", "close");
    }
  };
}

/** The last middleware: refuses requests without a route. @throws RequestError NOT_FOUND or METHOD_NOT_ALLOWED */
export const refuseUnrouted: Middleware = (ctx) => {
  const layers = (ctx as unknown as Partial<RouterContext>).matched ?? [];
  const methods = new Set(layers.flatMap((layer) => layer.methods));
  if (methods.size === 0) throw new RequestError("NOT_FOUND");
  ctx.set("Allow", [...methods].join(", "));
  throw new RequestError("METHOD_NOT_ALLOWED", { detail: ctx.method });
};
