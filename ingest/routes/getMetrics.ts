import type { Middleware } from "koa";
import type { Metrics } from "../telemetry/metrics/metrics";

/** `GET /metrics`: the metrics of this replica, for Prometheus. */
export function createGetMetrics(metrics: Metrics): Middleware {
  return async function getMetrics(ctx) {
    ctx.set("Cache-Control", "no-cache");
    ctx.body = await metrics.text();
    ctx.set("Content-Type", metrics.contentType);
  };
}
