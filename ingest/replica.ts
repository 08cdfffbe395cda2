import type { Logger } from "pino";
import { DefaultCredentials } from "@eventlogger/gcp/api/defaultCredentials";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { readBreakdown } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import { readHours } from "@eventlogger/gcp/bigquery/breakdowns/readHours";
import { readWeeklyRetention } from "@eventlogger/gcp/bigquery/weeklyRetention";
import type { RateLimit } from "./access/rates/tokenBuckets";
import type { Purpose } from "./access/keys/presentedKey";
import { WatchedKeys } from "./access/keys/watchedKeys";
import { createApp } from "./http/app";
import { EventLoopDelay } from "./http/eventLoopDelay";
import type { IngestOptions } from "./options";
import { AccessLog } from "./telemetry/accessLog";
import { Metrics } from "./telemetry/metrics/metrics";
import { EventPublisher } from "./publishing/publisher";
import { readClientScript } from "./routes/clientScript";
import type { HoursRequest } from "./routes/getHours";
import { RollupCache } from "./rollups/rollupCache";
import { startHttpServer, type HttpServer } from "./http/server";
import { surviveUnhandledErrors } from "./telemetry/unhandledErrors";

/** A running ingest service. */
export interface Replica {
  readonly port: number;
  /** Where events go: `Google`, or an emulator with its address. */
  readonly pubsub: string;
  /** Where the rollups are read. */
  readonly bigquery: string;
  /** Reloads the key files. Never rejects. */
  reloadKeys(): Promise<void>;
  /**
   * Stops accepting requests, answers those in flight, and waits until every publish is acknowledged. Resolves to false
   * when the drain timeout passed first and the remaining connections were closed.
   */
  stop(): Promise<boolean>;
}

const UNHANDLED_ERRORS = "ingest_unhandled_errors_total";
const UNHANDLED_ERRORS_HELP = "Errors that clients of Google reported outside of any request; the replica continued";

const rateLimit = (perSec: number, burst: number): RateLimit | undefined =>
  perSec > 0 ? { perSec, burst: Math.max(1, burst > 0 ? burst : 2 * perSec) } : undefined;

/** The limit of a number of new ids per minute, which may all come at once. */
const newIdLimit = (perMinute: number): RateLimit | undefined => rateLimit(perMinute / 60, perMinute);

/** Adds gauges for the current load of a replica. */
function addGauges(
  metrics: Metrics,
  parts: { publisher: EventPublisher; server: HttpServer; eventLoopDelay: EventLoopDelay },
): void {
  const { publisher, server, eventLoopDelay } = parts;
  metrics.gauge("ingest_events_in_flight", "Events in flight to Pub/Sub", () => publisher.eventsInFlight);
  metrics.gauge("ingest_bytes_in_flight", "Bytes of events in flight to Pub/Sub", () => publisher.bytesInFlight);
  metrics.gauge("ingest_http_connections", "Open connections", () => server.connections());
  const lag = "Event-loop delay used for load shedding";
  metrics.gauge("ingest_event_loop_lag_seconds", lag, () => eventLoopDelay.ms / 1000);
}

const serviceName = (emulator: string | undefined): string =>
  emulator === undefined ? "Google" : `emulator at ${emulator}`;

function createCredentials(logger: Logger): DefaultCredentials {
  return new DefaultCredentials({
    onChange: (problem) =>
      problem
        ? logger.error({ reason: problem.message }, "no valid Google credentials: requests that need them get 503")
        : logger.info("the Google credentials work again"),
  });
}

/** Creates the parts of a replica and starts listening. @throws Error when the address is in use. */
export async function startReplica(options: IngestOptions, logger: Logger): Promise<Replica> {
  const metrics = new Metrics();
  metrics.addProcess();
  surviveUnhandledErrors({ logger, onSurvived: metrics.counter(UNHANDLED_ERRORS, UNHANDLED_ERRORS_HELP) });
  const pubsubEmulator = process.env.PUBSUB_EMULATOR_HOST || undefined;
  const { bigqueryEndpoint } = options;
  const credentials = createCredentials(logger);
  // Before it listens, so that no request has to wait for the search.
  if (pubsubEmulator === undefined) await credentials.checkOnce();
  const publisher = new EventPublisher({
    project: options.project,
    topic: options.topic,
    credentials: pubsubEmulator === undefined ? credentials : undefined,
    timeoutMs: options.publishTimeout,
    maxInFlight: options.maxInFlight,
    maxInFlightBytes: options.maxInFlightBytes,
    logger,
    onPublished: (outcome, ms) => metrics.published(outcome, ms),
  });
  const bigquery = bigQueryClient(
    { project: options.project, endpoint: bigqueryEndpoint },
    { authClient: credentials.authClient },
  );
  const cacheOf = <Numbers extends object, Request>(
    what: string,
    read: (client: typeof bigquery, dataset: string, request: Request) => Promise<Numbers>,
  ): RollupCache<Numbers, Request> =>
    new RollupCache({
      read: async (request) => {
        if (bigqueryEndpoint === undefined) {
          await credentials.checkOnce();
          // The client would wait longer than the time limit.
          if (credentials.problem) throw credentials.problem;
        }
        return read(bigquery, options.dataset, request);
      },
      ttlMs: options.cacheTtl,
      timeoutMs: options.queryTimeout,
      onError: (error) => logger.warn({ err: error, dataset: options.dataset }, `reading the ${what} failed`),
    });
  const watch = (purpose: Purpose, path: string | undefined): WatchedKeys | undefined => {
    if (path === undefined) return undefined;
    const keys = new WatchedKeys({ purpose, path, logger });
    metrics.gauge(`ingest_${purpose}_keys`, `Number of valid ${purpose} keys`, () => keys.size);
    const stale = "1 while the key file is invalid and the previous keys are used, else 0";
    metrics.gauge(`ingest_${purpose}_keys_stale`, stale, () => Number(keys.isStale));
    return keys;
  };
  const writeKeys = watch("write", options.writeKeysFile);
  const readKeys = watch("read", options.readKeysFile);
  const eventLoopDelay = new EventLoopDelay();
  let draining = false;
  const app = createApp({
    settings: options,
    access: {
      writeKeys,
      readKeys,
      keyRate: rateLimit(options.keyRateLimit, options.keyRateBurst),
      addressRate: rateLimit(options.addressRateLimit, options.addressRateBurst),
      keyNewIds: newIdLimit(options.keyNewIdLimit),
      addressNewIds: newIdLimit(options.addressNewIdLimit),
      trustedProxies: options.trustedProxies,
      onUntrustedProxy: () =>
        logger.warn(
          "Requests come through a proxy missing from --trusted-proxies; all its clients share one rate limit",
        ),
    },
    publisher,
    rollups: cacheOf("rollups", readDailyRollups),
    retention: cacheOf("retention", readWeeklyRetention),
    breakdowns: cacheOf("breakdowns", readBreakdown),
    hours: cacheOf("hours", (client, dataset, { date }: HoursRequest) => readHours(client, dataset, date)),
    clientScript: readClientScript(),
    isOverloaded: () => eventLoopDelay.ms > options.maxLoopLag,
    isDraining: () => draining,
    metrics,
    accessLog: new AccessLog({ mode: options.accessLog, slowMs: options.slowRequest, logger }),
    logger,
  });
  const handle = app.callback();
  const server = await startHttpServer({
    // Koa handles all errors: the promise never rejects.
    listener: (request, response) => void handle(request, response),
    host: options.host,
    port: options.port,
    maxConnections: options.maxConnections,
    onUnreadable: (status) => metrics.requests.unreadableRequest(status),
  });
  addGauges(metrics, { publisher, server, eventLoopDelay });
  return {
    port: server.port,
    pubsub: serviceName(pubsubEmulator),
    bigquery: serviceName(bigqueryEndpoint),
    async reloadKeys() {
      await Promise.all([writeKeys?.reload(), readKeys?.reload()]);
    },
    async stop() {
      draining = true;
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<false>((resolve) => {
        timer = setTimeout(() => resolve(false), options.drainTimeout);
      });
      const drained = server.drain().then(async () => {
        await publisher.close();
        return true;
      });
      const clean = await Promise.race([drained, tooLate]);
      clearTimeout(timer);
      eventLoopDelay.stop();
      credentials.close();
      writeKeys?.close();
      readKeys?.close();
      if (!clean) server.abort();
      return clean;
    },
  };
}
