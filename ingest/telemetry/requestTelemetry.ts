import type { Middleware } from "koa";
import { requestContextOf } from "./requestContext";
import type { AccessLog } from "./accessLog";
import { requestId, setRequestId } from "./requestId";
import type { RequestMetrics } from "./metrics/requestMetrics";
import type { RouteOf } from "../http/routePattern";

export interface RequestTelemetryDeps {
  readonly requests: RequestMetrics;
  readonly accessLog: AccessLog;
  readonly routeOf: RouteOf;
}

/**
 * Gives each request an id, then counts, times and logs it. It is the outermost middleware, so that it sees the answers
 * made from errors.
 */
export function requestTelemetry({ requests, accessLog, routeOf }: RequestTelemetryDeps): Middleware {
  return async function requestTelemetry(ctx, next) {
    const start = performance.now();
    const { req, res } = ctx;
    const id = requestId(req.headers["x-request-id"]);
    setRequestId(res, id);
    await next();
    const durationMs = performance.now() - start;
    const { statusCode: status } = res;
    const method = req.method ?? "";
    const route = routeOf(req.url ?? "");
    const { error, keyName } = requestContextOf(ctx);
    requests.answered(method, route, status, durationMs);
    if (error !== undefined) requests.refused(error);
    if (accessLog.wants(route, status, durationMs)) {
      accessLog.write({ requestId: id, method, route, status, durationMs, error, key: keyName });
    }
  };
}
