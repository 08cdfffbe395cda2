import type { Middleware } from "koa";
import { findingsOf } from "./requestContext";
import type { AccessLog } from "./accessLog";
import { requestId, setRequestId } from "./requestId";
import type { RequestMetrics } from "./requestMetrics";
import { routePattern } from "../http/routePattern";

export interface ObserveDeps {
  readonly requests: RequestMetrics;
  readonly accessLog: AccessLog;
}

/** Gives each request an id, counts and times it, and logs it. The outermost of all, around what turns errors to answers. */
export function observe({ requests, accessLog }: ObserveDeps): Middleware {
  return async function observe(ctx, next) {
    const start = performance.now();
    const { req, res } = ctx;
    const id = requestId(req.headers["x-request-id"]);
    setRequestId(res, id);
    await next();
    const durationMs = performance.now() - start;
    const { statusCode: status } = res;
    const method = req.method ?? "";
    const route = routePattern(req.url ?? "");
    const { error, keyName } = findingsOf(ctx);
    requests.answered(method, route, status, durationMs);
    if (error !== undefined) requests.refused(error);
    if (accessLog.wants(route, status, durationMs)) {
      accessLog.write({ requestId: id, method, route, status, durationMs, error, key: keyName });
    }
  };
}
