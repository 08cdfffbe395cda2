import { Router } from "@koa/router";
import Koa, { type Middleware } from "koa";
import type { Logger } from "pino";
import type { DailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import type { Breakdown, Hours } from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import type { BreakdownRequest } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import type { WeeklyRetention } from "@eventlogger/gcp/bigquery/weeklyRetention";
import { KnownAgents } from "../agents/knownAgents";
import { createAccessControl, type AccessSettings } from "../access/accessControl";
import { earliestEventMs, type IngestOptions } from "../options";
import { openApiDocument, type DocumentedSettings } from "../openapi/document";
import type { RollupCache } from "../rollups/rollupCache";
import { createGetClientScript, type ClientScript } from "../routes/clientScript";
import { createGetBreakdowns } from "../routes/getBreakdowns";
import { createGetEvent } from "../routes/getEvent";
import { createGetHours, type HoursRequest } from "../routes/getHours";
import { createGetMetrics } from "../routes/getMetrics";
import { createGetRetention } from "../routes/getRetention";
import { createReadyz, healthz, type ReadinessDeps } from "../routes/health";
import { createGetOpenApi } from "../routes/openApi";
import { createPostEvent, type PostEventDeps } from "../routes/postEvent";
import { createPostEvents, type PostEventsDeps } from "../routes/postEvents";
import { createPostSegment } from "../segment/postSegment";
import type { AccessLog } from "../telemetry/accessLog";
import type { Metrics } from "../telemetry/metrics/metrics";
import { requestTelemetry } from "../telemetry/requestTelemetry";
import { ByteBudget } from "./body/byteBudget";
import { cors } from "./cors";
import { answerErrors, refuseUnrouted } from "./errorAnswers";
import { RequestError } from "./errors";
import { createRouteOf, PROBES, segmentPaths } from "./routePattern";

/** The options of a replica that its HTTP interface uses as they are. */
export type HttpSettings = Pick<
  IngestOptions,
  | "bodyLimit"
  | "batchBodyLimit"
  | "maxBatchEvents"
  | "maxBodyBytes"
  | "corsOrigins"
  | "earliestEvent"
  | "segmentPath"
  | "unknownFields"
>;

export interface AppDeps {
  readonly settings: HttpSettings;
  readonly access: AccessSettings;
  readonly publisher: PostEventDeps["publisher"] & PostEventsDeps["publisher"] & Pick<ReadinessDeps, "problem">;
  readonly rollups: Pick<RollupCache<DailyRollups>, "get">;
  readonly retention: Pick<RollupCache<WeeklyRetention>, "get">;
  readonly breakdowns: Pick<RollupCache<Breakdown, BreakdownRequest>, "get">;
  readonly hours: Pick<RollupCache<Hours, HoursRequest>, "get">;
  readonly clientScript: ClientScript;
  /** Whether new requests should be refused because this process is behind with its work. */
  readonly isOverloaded: () => boolean;
  readonly isDraining: () => boolean;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly logger: Logger;
}

/** While a replica stops, it tells clients to send their next request over a new connection, to another replica. */
function closeWhenDraining(isDraining: () => boolean): Middleware {
  return function closeConnection(ctx, next) {
    if (!isDraining()) return next();
    ctx.set("Connection", "close");
    return next();
  };
}

/**
 * Refuses requests while the process is overloaded, before their bodies are read, so that accepted requests are answered
 * in time. Probes are always answered.
 */
function shedLoad(isOverloaded: () => boolean): Middleware {
  return function shedLoad(ctx, next) {
    if (!isOverloaded() || PROBES.has(ctx.path)) return next();
    throw new RequestError("OVERLOADED");
  };
}

/**
 * Handles the hot route before the router: the router's matching and composing cost as much per request as validating an
 * event. The router has the route too, for other spellings of the path and for its list of methods. A batch holds many
 * events, so it can afford the router.
 */
function hotRoute(postEvent: Middleware): Middleware {
  return function hotRoute(ctx, next): unknown {
    const { method, url } = ctx.req;
    return method === "POST" && (url === "/event/" || url === "/event") ? postEvent(ctx, next) : next();
  };
}

/** The settings that the OpenAPI document of an app states. */
export function documentedSettings({ settings, access }: AppDeps): DocumentedSettings {
  const { bodyLimit, batchBodyLimit, maxBatchEvents, earliestEvent, segmentPath, unknownFields } = settings;
  const { writeKeys, readKeys } = access;
  const needsWriteKey = writeKeys !== undefined;
  const needsReadKey = readKeys !== undefined;
  return {
    bodyLimit,
    batchBodyLimit,
    maxBatchEvents,
    earliestEvent,
    segmentPath,
    unknownFields,
    needsWriteKey,
    needsReadKey,
  };
}

/** All routes. Each accepts its path with and without a trailing slash. */
export function createRouter(deps: AppDeps): { readonly router: Router; readonly postEvent: Middleware } {
  const { publisher, rollups, retention, isDraining } = deps;
  const { bodyLimit, batchBodyLimit, maxBatchEvents, maxBodyBytes, segmentPath } = deps.settings;
  const budget = new ByteBudget(maxBodyBytes);
  deps.metrics.gauge("ingest_body_bytes", "Bytes of request bodies in memory", () => budget.taken);
  const access = createAccessControl(deps.access, maxBatchEvents);
  const earliest = earliestEventMs(deps.settings.earliestEvent);
  const { unknownFields } = deps.settings;
  const agents = new KnownAgents();
  const posting = { publisher, earliest, unknownFields, agents, admission: access.write, metrics: deps.metrics.events };
  const postEvent = createPostEvent({ ...posting, body: { limit: bodyLimit, budget } });
  const router = new Router();
  router.post("/event", postEvent);
  router.post(
    "/events",
    createPostEvents({ ...posting, body: { limit: batchBodyLimit, budget }, maxEvents: maxBatchEvents }),
  );
  for (const { endpoint, path } of segmentPaths(segmentPath)) {
    const limit = endpoint === "batch" ? batchBodyLimit : bodyLimit;
    const body = { limit, budget };
    const segment = { ...posting, body, keylessLimit: bodyLimit, maxEvents: maxBatchEvents };
    router.post(path, createPostSegment(endpoint, segment));
  }
  router.get("/event", createGetEvent(rollups, access.read));
  router.get("/retention", createGetRetention(retention, access.read));
  router.get("/breakdowns", createGetBreakdowns(deps.breakdowns, access.read));
  router.get("/hours", createGetHours(deps.hours, access.read));
  router.get("/client/eventlogger.js", createGetClientScript(deps.clientScript));
  router.get("/healthz", healthz);
  router.get("/readyz", createReadyz({ problem: () => publisher.problem(), isDraining }));
  router.get("/metrics", createGetMetrics(deps.metrics));
  router.get("/openapi.json", createGetOpenApi(openApiDocument(documentedSettings(deps))));
  return { router, postEvent };
}

/** The HTTP interface. It knows nothing about ports, processes or connections to other services. */
export function createApp(deps: AppDeps): Koa {
  const { isDraining, logger } = deps;
  const { corsOrigins, segmentPath } = deps.settings;
  const routeOf = createRouteOf(segmentPath);
  const { router, postEvent } = createRouter(deps);

  const app = new Koa();
  app.use(requestTelemetry({ requests: deps.metrics.requests, accessLog: deps.accessLog, routeOf }));
  if (corsOrigins.length > 0) app.use(cors(corsOrigins));
  app.use(answerErrors(logger, routeOf));
  app.use(closeWhenDraining(isDraining));
  app.use(shedLoad(deps.isOverloaded));
  app.use(hotRoute(postEvent));
  app.use(router.routes());
  app.use(refuseUnrouted);
  // Connections that break while an answer is sent. The service has done its part.
  app.on("error", (error: Error) => logger.debug({ err: error }, "connection error"));
  return app;
}
