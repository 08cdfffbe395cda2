import assert from "node:assert/strict";
import { pino } from "pino";
import type { DailyRollup } from "@eventlogger/gcp/bigquery/dailyRollups";
import type { RetentionCohort } from "@eventlogger/gcp/bigquery/weeklyRetention";
import { createApp, documentedSettings, type AppDeps, type HttpSettings } from "../http/app";
import { clientScript } from "../routes/clientScript";
import { AccessLog } from "../telemetry/accessLog";
import { Metrics } from "../telemetry/metrics/metrics";
import { openApiDocument } from "../openapi/document";
import { RollupCache } from "../rollups/rollupCache";
import { startHttpServer, type HttpServer } from "../http/server";
import { conformance } from "./conformance";

const DAYS: DailyRollup[] = [
  { date: "2020-01-31", average_session_duration_sec: 90, average_session_duration_min: 1.5, active_user_count: 1 },
  { date: "2024-05-16", average_session_duration_sec: 0, average_session_duration_min: 0, active_user_count: 3 },
  { date: "2024-05-17", average_session_duration_sec: 61, average_session_duration_min: 1.02, active_user_count: 2 },
].map((day, i) => ({
  ...{ ...day, new_user_count: i, session_count: i + 5, total_users: i + 1 },
  ...{ wau: i + 6, mau: i + 7, anonymous_user_count: i, bot_user_count: i + 1, bot_session_count: i + 2 },
}));

const COHORTS: RetentionCohort[] = [
  { week: "2024-05-06", size: 5, retained: [5, 0, 2] },
  { week: "2024-05-13", size: 3, retained: [3] },
];

const VALUES = ["DE", "FR", "(none)"].map((value, i) => ({
  ...{ value, events: 9 - i, sessions: 3, person_days: 2 },
}));
const DIMENSIONS = ["country", "properties.plan"];

const DEFINITIONS = { generation: 2, timeZone: "Europe/Berlin", sessionGapMs: 1_800_000 };
const CACHE = { ttlMs: 1000, timeoutMs: 1000, onError: () => undefined };

/** A publisher that accepts every event and discards it. */
export const acceptingPublisher: AppDeps["publisher"] = {
  assertCapacity: () => undefined,
  publish: async () => undefined,
  publishAll: async () => undefined,
  problem: async () => undefined,
};

const silent = pino({ level: "silent" });

/** Settings with small limits. */
export function testSettings(settings: Partial<HttpSettings> = {}): HttpSettings {
  const limits = { bodyLimit: 1024, batchBodyLimit: 4096, maxBatchEvents: 10, maxBodyBytes: 8192 };
  return {
    ...limits,
    corsOrigins: [],
    earliestEvent: "2010-01-01",
    unknownFields: "keep",
    segmentPath: "/v1",
    ...settings,
  };
}

/** The dependencies of an app, with three days of rollups and small limits. */
export function appDeps(deps: Partial<AppDeps> = {}): AppDeps {
  return {
    publisher: acceptingPublisher,
    rollups: new RollupCache({
      read: async ({ from, to }) => ({
        total_users: 3,
        definitions: DEFINITIONS,
        days: DAYS.filter(({ date }) => date >= from && date <= to),
      }),
      ...CACHE,
    }),
    retention: new RollupCache({
      read: async ({ from, to }) => ({
        definitions: DEFINITIONS,
        cohorts: COHORTS.filter(({ week }) => week >= from && week <= to),
      }),
      ...CACHE,
    }),
    breakdowns: new RollupCache({
      read: async ({ dimension, range, limit }) => {
        const persons = range.from === range.to ? 2 : null;
        const listed = VALUES.slice(0, limit).map((value) => ({ ...value, persons }));
        return {
          ...{ definitions: DEFINITIONS, refreshedAt: "2024-05-17T12:00:00.000Z", dimensions: DIMENSIONS },
          ...{ dimension, range, values: listed },
          totals: { events: 24, sessions: 9, person_days: 6, persons },
          other: {
            ...{
              value_count: VALUES.length - listed.length,
              events: 24 - listed.reduce((n, { events }) => n + events, 0),
            },
            ...{ sessions: persons, person_days: persons, persons },
          },
        };
      },
      ...CACHE,
    }),
    hours: new RollupCache({
      read: async ({ date = "2024-05-17" }) => ({
        ...{ definitions: DEFINITIONS, refreshedAt: null, dimensions: [], date },
        hours: [{ hour: `${date}T00:00:00+02:00`, events: 3, persons: 2, sessions: 1 }],
      }),
      ...CACHE,
    }),
    clientScript: clientScript(Buffer.from("/* the client */")),
    settings: testSettings(),
    access: { trustedProxies: [], onUntrustedProxy: () => undefined },
    isOverloaded: () => false,
    isDraining: () => false,
    metrics: new Metrics(),
    accessLog: new AccessLog({ mode: "off", slowMs: 1000, logger: silent }),
    logger: silent,
    ...deps,
  };
}

function bodyText(body: unknown): string {
  if (body === undefined || body === null) return "";
  return typeof body === "string" ? body : Buffer.isBuffer(body) ? body.toString("latin1") : JSON.stringify(body);
}

export interface AppServer {
  readonly url: string;
  readonly port: number;
  /** The lines that it has logged. */
  readonly lines: readonly string[];
}

/**
 * Serves apps without the services behind them. They are stopped after each test of the `describe` that calls this. A test
 * fails when an answer does not match the OpenAPI document.
 */
export function useAppServer(): (deps?: Partial<AppDeps>) => Promise<AppServer> {
  const servers: HttpServer[] = [];
  const deviations: string[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => (server.abort(), server.drain())));
    assert.deepEqual(deviations.splice(0), []);
  });

  return async function serve(partial = {}) {
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    const accessLog = new AccessLog({ mode: "problems", slowMs: 1000, logger });
    const deps = appDeps({ logger, accessLog, ...partial });
    const app = createApp(deps);
    const deviation = conformance(openApiDocument(documentedSettings(deps)));
    // The outermost middleware, so that it sees the final answer.
    app.middleware.unshift(async (ctx, next) => {
      await next();
      // The document does not cover unknown paths, nor the methods that HTTP itself or CORS defines.
      if (ctx.status === 404 || ctx.status === 405 || ctx.method === "HEAD" || ctx.method === "OPTIONS") return;
      const { method, path, status } = ctx;
      const body: unknown = ctx.body;
      const text = bodyText(body);
      const retryAfter = ctx.response.get("Retry-After") || null;
      const requestId = ctx.response.get("X-Request-Id") || null;
      const eventId = ctx.response.get("X-Event-Id") || null;
      const warnings = ctx.response.get("X-Event-Warnings") || null;
      const answer = {
        method,
        path,
        status,
        contentType: ctx.type,
        retryAfter,
        requestId,
        eventId,
        warnings,
        body: text,
      };
      const found = deviation(answer);
      if (found !== undefined) deviations.push(found);
    });
    const handle = app.callback();
    const server = await startHttpServer({
      listener: (request, response) => void handle(request, response),
      host: "127.0.0.1",
      port: 0,
      maxConnections: 100,
    });
    servers.push(server);
    return { url: `http://127.0.0.1:${server.port}`, port: server.port, lines };
  };
}
