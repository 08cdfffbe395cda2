import type { Logger } from "pino";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import type { RateLimit } from "./access/tokenBuckets";
import type { Purpose } from "./access/presentedKey";
import { WatchedKeys } from "./access/watchedKeys";
import { createApp } from "./http/app";
import { LoopLag } from "./http/loopLag";
import type { IngestOptions } from "./options";
import { AccessLog } from "./telemetry/accessLog";
import { Metrics } from "./telemetry/metrics";
import { EventPublisher } from "./publishing/publisher";
import { RollupCache } from "./rollups/rollupCache";
import { startHttpServer, type HttpServer } from "./http/server";

/** A running ingest service. */
export interface Replica {
  readonly port: number;
  /** Reads the files of keys now. Never rejects. */
  reloadKeys(): Promise<void>;
  /**
   * Stops accepting, answers what is under way, waits for the acknowledgement of every publish. Resolves to false when
   * that took longer than the drain timeout and what was left has been cut.
   */
  stop(): Promise<boolean>;
}

const rateLimit = (perSec: number, burst: number): RateLimit | undefined =>
  perSec > 0 ? { perSec, burst: Math.max(1, burst > 0 ? burst : 2 * perSec) } : undefined;

/** What a replica is doing now. */
function addGauges(metrics: Metrics, parts: { publisher: EventPublisher; server: HttpServer; loopLag: LoopLag }): void {
  const { publisher, server, loopLag } = parts;
  metrics.gauge("ingest_events_in_flight", "Events that wait for Pub/Sub", () => publisher.eventsInFlight);
  metrics.gauge("ingest_bytes_in_flight", "Bytes of events that wait for Pub/Sub", () => publisher.bytesInFlight);
  metrics.gauge("ingest_http_connections", "Open connections", () => server.connections());
  const lag = "By how much the event loop lags, as load is refused by it";
  metrics.gauge("ingest_event_loop_lag_seconds", lag, () => loopLag.ms / 1000);
}

/** Connects the parts and listens. @throws Error when the address is taken. */
export async function startReplica(options: IngestOptions, logger: Logger): Promise<Replica> {
  const metrics = new Metrics();
  metrics.addProcess();
  const publisher = new EventPublisher({
    project: options.project,
    topic: options.topic,
    timeoutMs: options.publishTimeout,
    maxInFlight: options.maxInFlight,
    maxInFlightBytes: options.maxInFlightBytes,
    logger,
    onPublished: (outcome, ms) => metrics.published(outcome, ms),
  });
  const bigquery = bigQueryClient({ project: options.project, endpoint: options.bigqueryEndpoint });
  const rollups = new RollupCache({
    read: () => readDailyRollups(bigquery, options.dataset),
    ttlMs: options.cacheTtl,
    timeoutMs: options.queryTimeout,
    onError: (error) => logger.warn({ err: error, dataset: options.dataset }, "reading the rollups fails"),
  });
  const watch = (purpose: Purpose, path: string | undefined): WatchedKeys | undefined => {
    if (path === undefined) return undefined;
    const keys = new WatchedKeys({ purpose, path, logger });
    metrics.gauge(`ingest_${purpose}_keys`, `Keys of which one is needed to ${purpose}`, () => keys.size);
    const stale = "1 while the file of keys is wrong, so that those from before are used";
    metrics.gauge(`ingest_${purpose}_keys_stale`, stale, () => Number(keys.isStale));
    return keys;
  };
  const writeKeys = watch("write", options.writeKeysFile);
  const readKeys = watch("read", options.readKeysFile);
  const loopLag = new LoopLag();
  let draining = false;
  const app = createApp({
    publisher,
    rollups,
    bodyLimit: options.bodyLimit,
    batchBodyLimit: options.batchBodyLimit,
    maxBatchEvents: options.maxBatchEvents,
    maxBodyBytes: options.maxBodyBytes,
    corsOrigins: options.corsOrigins,
    access: {
      writeKeys,
      readKeys,
      keyRate: rateLimit(options.keyRateLimit, options.keyRateBurst),
      addressRate: rateLimit(options.addressRateLimit, options.addressRateBurst),
      trustedProxies: options.trustedProxies,
      onUntrustedProxy: () =>
        logger.warn(
          "a proxy that is not in --trusted-proxies is before this: all clients behind it have one rate limit",
        ),
    },
    isOverloaded: () => loopLag.ms > options.maxLoopLag,
    isDraining: () => draining,
    metrics,
    accessLog: new AccessLog({ mode: options.accessLog, slowMs: options.slowRequest, logger }),
    logger,
  });
  const handle = app.callback();
  const server = await startHttpServer({
    // Koa answers its own errors: the promise never rejects.
    listener: (request, response) => void handle(request, response),
    host: options.host,
    port: options.port,
    maxConnections: options.maxConnections,
    onUnreadable: (status) => metrics.requests.unreadableRequest(status),
  });
  addGauges(metrics, { publisher, server, loopLag });
  return {
    port: server.port,
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
      loopLag.stop();
      writeKeys?.close();
      readKeys?.close();
      if (!clean) server.abort();
      return clean;
    },
  };
}
