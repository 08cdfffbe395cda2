import type { RouterContext } from "@koa/router";
import type { Middleware } from "koa";
import type { Logger } from "pino";
import { RequestError } from "./errors";
import { findingsOf } from "../telemetry/requestContext";
import { requestIdOf } from "../telemetry/requestId";
import { routePattern } from "./routePattern";

/** Turns what a handler throws into an answer. What nobody foresaw is logged and answered without its particulars. */
export function answerErrors(logger: Logger): Middleware {
  return async function answerErrors(ctx, next) {
    try {
      await next();
    } catch (error) {
      let known: RequestError;
      if (error instanceof RequestError) known = error;
      else {
        logger.error(
          { err: error, requestId: requestIdOf(ctx.res), method: ctx.method, route: routePattern(ctx.url) },
          "unexpected error",
        );
        known = new RequestError("INTERNAL");
      }
      findingsOf(ctx).error = known.code;
      ctx.status = known.status;
      ctx.body = { errors: known.errors };
      if (known.retryAfterSec !== undefined) ctx.set("Retry-After", String(known.retryAfterSec));
      if (known.status === 401) ctx.set("WWW-Authenticate", "Bearer");
      // Node reads the rest of a body that nobody wanted; of one that is far too large it shall not.
      if (known.code === "BODY_TOO_LARGE" && !ctx.req.complete) ctx.set("Connection", "close");
    }
  };
}

/** The end of the line for requests that no route took. @throws RequestError NOT_FOUND or METHOD_NOT_ALLOWED */
export const refuseUnrouted: Middleware = (ctx) => {
  const layers = (ctx as unknown as Partial<RouterContext>).matched ?? [];
  const methods = new Set(layers.flatMap((layer) => layer.methods));
  if (methods.size === 0) throw new RequestError("NOT_FOUND");
  ctx.set("Allow", [...methods].join(", "));
  throw new RequestError("METHOD_NOT_ALLOWED", { detail: ctx.method });
};
