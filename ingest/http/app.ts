import { Router } from "@koa/router";
import Koa, { type Middleware } from "koa";
import type { Logger } from "pino";
import { createGates, type AccessSettings } from "../access/gates";
import { ByteBudget } from "./byteBudget";
import { cors } from "./cors";
import { RequestError } from "./errors";
import { answerErrors, refuseUnrouted } from "./errorAnswers";
import type { AccessLog } from "../telemetry/accessLog";
import type { Metrics } from "../telemetry/metrics";
import { observe } from "../telemetry/requestTelemetry";
import { openApiDocument, type DocumentedSettings } from "../openapi/document";
import type { RollupCache } from "../rollups/rollupCache";
import { PROBES } from "./routePattern";
import { createGetEvent } from "../routes/getEvent";
import { createGetMetrics } from "../routes/getMetrics";
import { createReadyz, healthz, type ReadinessDeps } from "../routes/health";
import { createGetOpenApi } from "../routes/openApi";
import { createPostEvent, type PostEventDeps } from "../routes/postEvent";
import { createPostEvents, type PostEventsDeps } from "../routes/postEvents";

export interface AppDeps {
  readonly publisher: PostEventDeps["publisher"] & PostEventsDeps["publisher"] & Pick<ReadinessDeps, "problem">;
  readonly rollups: Pick<RollupCache, "get">;
  /** Bytes of the body with one event. */
  readonly bodyLimit: number;
  /** Bytes of the body with many events. */
  readonly batchBodyLimit: number;
  /** Most events in one body. */
  readonly maxBatchEvents: number;
  /** Bytes of all bodies that are being read at one time. */
  readonly maxBodyBytes: number;
  /** See {@link cors}. */
  readonly corsOrigins: readonly string[];
  readonly access: AccessSettings;
  /** Whether this process has more to do than it can. */
  readonly isOverloaded: () => boolean;
  readonly isDraining: () => boolean;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly logger: Logger;
}

/** A replica that stops asks its clients to go elsewhere with their next request. */
function closeWhenDraining(isDraining: () => boolean): Middleware {
  return function closeConnection(ctx, next) {
    if (!isDraining()) return next();
    ctx.set("Connection", "close");
    return next();
  };
}

/**
 * Refuses requests while there is more to do than can be done, before their bodies are read: what is taken is then
 * answered in time. Whoever asks how the replica does is always answered.
 */
function shedLoad(isOverloaded: () => boolean): Middleware {
  return function shedLoad(ctx, next) {
    if (!isOverloaded() || PROBES.has(ctx.path)) return next();
    throw new RequestError("OVERLOADED");
  };
}

/**
 * The one address that is hot, before the router: matching its layers and composing them anew for each request costs as
 * much as checking an event. The router has the route, too, for other spellings and for the methods of the address. A
 * batch is worth many events, so it can go through the router.
 */
function ahead(postEvent: Middleware): Middleware {
  return function hotRoute(ctx, next): unknown {
    const { method, url } = ctx.req;
    return method === "POST" && (url === "/event/" || url === "/event") ? postEvent(ctx, next) : next();
  };
}

/** What the OpenAPI document says of an app with these parts. */
export function documentedSettings(deps: AppDeps): DocumentedSettings {
  const { bodyLimit, batchBodyLimit, maxBatchEvents } = deps;
  const { writeKeys, readKeys } = deps.access;
  const needsWriteKey = writeKeys !== undefined;
  return { bodyLimit, batchBodyLimit, maxBatchEvents, needsWriteKey, needsReadKey: readKeys !== undefined };
}

/** All routes. */
export function createRouter(deps: AppDeps): { readonly router: Router; readonly postEvent: Middleware } {
  const { publisher, rollups, isDraining, bodyLimit, batchBodyLimit, maxBatchEvents } = deps;
  const { events: metrics } = deps.metrics;
  const budget = new ByteBudget(deps.maxBodyBytes);
  deps.metrics.gauge("ingest_body_bytes", "Bytes of bodies that are being read", () => budget.taken);
  const gates = createGates(deps.access, maxBatchEvents);
  const gate = gates.write;
  const router = new Router();
  const postEvent = createPostEvent({ publisher, body: { limit: bodyLimit, budget }, gate, metrics });
  // A route takes its address with and without a slash at the end.
  router.post("/event", postEvent);
  router.post(
    "/events",
    createPostEvents({ publisher, body: { limit: batchBodyLimit, budget }, gate, metrics, maxEvents: maxBatchEvents }),
  );
  router.get("/event", createGetEvent(rollups, gates.read));
  router.get("/healthz", healthz);
  router.get("/readyz", createReadyz({ problem: () => publisher.problem(), isDraining }));
  router.get("/metrics", createGetMetrics(deps.metrics));
  router.get("/openapi.json", createGetOpenApi(openApiDocument(documentedSettings(deps))));
  return { router, postEvent };
}

/** The HTTP interface; knows nothing of ports, processes and clients. */
export function createApp(deps: AppDeps): Koa {
  const { isDraining, logger } = deps;
  const { router, postEvent } = createRouter(deps);

  const app = new Koa();
  app.use(observe({ requests: deps.metrics.requests, accessLog: deps.accessLog }));
  if (deps.corsOrigins.length > 0) app.use(cors(deps.corsOrigins));
  app.use(answerErrors(logger));
  app.use(closeWhenDraining(isDraining));
  app.use(shedLoad(deps.isOverloaded));
  app.use(ahead(postEvent));
  app.use(router.routes());
  app.use(refuseUnrouted);
  // Connections that break while they are answered; the service has done its part.
  app.on("error", (error: Error) => logger.debug({ err: error }, "connection"));
  return app;
}
