import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { httpOptions } from "@eventlogger/options/httpOptions";
import { dayFromIso, dayStart } from "@eventlogger/events/day";
import { keyFileProblem } from "./access/keys/keyFile";
import { ACCESS_LOG_MODES } from "./telemetry/accessLog";

const rate = (perSec: number): string | undefined =>
  perSec === 0 || (perSec >= 0.001 && perSec <= 1e9) ? undefined : "must be 0 or a number from 0.001 to 1000000000";

function dayProblem(text: string): string | undefined {
  const day = dayFromIso(text);
  return day !== undefined && day >= 0 ? undefined : "must be a date from 1970-01-01 on, such as 2010-01-01";
}

/** The first moment of a day that passed the check of `earliestEvent`; epoch milliseconds. */
export function earliestEventMs(day: string): number {
  return dayStart(dayFromIso(day) ?? 0);
}

/** The options of an ingest replica. */
export const ingestOptions = {
  host: httpOptions.host,
  port: httpOptions.port,
  bodyLimit: httpOptions.bodyLimit,
  batchBodyLimit: httpOptions.batchBodyLimit,
  maxBatchEvents: {
    type: "number",
    describe: "Maximum number of events in one POST to /events/",
    default: 1000,
    check: wholeNumber(1, 10_000),
    group: "HTTP:",
  },
  earliestEvent: {
    type: "string",
    describe: "Events with an event_time before this date (UTC) are refused",
    default: "2010-01-01",
    check: dayProblem,
    group: "HTTP:",
  },
  unknownFields: {
    type: "enum",
    describe:
      "What becomes of fields that an event does not have: keep stores them in its properties, refuse refuses the event",
    default: "keep",
    choices: ["keep", "refuse"],
    group: "HTTP:",
  },
  maxBodyBytes: {
    type: "number",
    describe: "Maximum memory for request bodies, in bytes; above it requests get 503",
    default: 67_108_864,
    check: wholeNumber(1024, 4_294_967_296),
    group: "HTTP:",
  },
  maxLoopLag: {
    type: "duration",
    describe: "Requests get 503 while the event-loop delay is above this",
    default: 2000,
    check: between(10, 60_000),
    group: "HTTP:",
  },
  corsOrigins: httpOptions.corsOrigins,
  segmentPath: httpOptions.segmentPath,
  writeKeysFile: {
    type: "string",
    describe:
      "File of keys for sending events, one per line or as JSON; it is reloaded when it changes. Without it no key is required",
    optional: true,
    check: keyFileProblem,
    group: "Access:",
  },
  readKeysFile: {
    type: "string",
    describe: "File of keys for reading the rollups, in the same format",
    optional: true,
    check: keyFileProblem,
    group: "Access:",
  },
  addressRateLimit: {
    type: "number",
    describe:
      "Rate limit per client address, in events per second and separately in reads per second; 0 disables it. Behind proxies, set --trusted-proxies",
    default: 0,
    check: rate,
    group: "Access:",
  },
  addressRateBurst: {
    type: "number",
    describe: "Burst size per client address; 0 means twice the rate",
    default: 0,
    check: rate,
    group: "Access:",
  },
  keyRateLimit: {
    type: "number",
    describe: "Rate limit per key, in events per second and separately in reads per second; 0 disables it",
    default: 0,
    check: rate,
    group: "Access:",
  },
  keyRateBurst: {
    type: "number",
    describe: "Burst size per key; 0 means twice the rate",
    default: 0,
    check: rate,
    group: "Access:",
  },
  addressNewIdLimit: {
    type: "number",
    describe: "Maximum number of new anonymous ids per client address and minute; 0 disables the limit",
    default: 0,
    check: rate,
    group: "Access:",
  },
  keyNewIdLimit: {
    type: "number",
    describe: "Maximum number of new anonymous ids per write key and minute; 0 disables the limit",
    default: 0,
    check: rate,
    group: "Access:",
  },
  trustedProxies: httpOptions.trustedProxies,
  maxConnections: {
    type: "number",
    describe: "Maximum number of open connections",
    default: 4096,
    check: wholeNumber(1, 1_000_000),
    group: "HTTP:",
  },
  drainTimeout: httpOptions.drainTimeout,
  ...projectOption,
  topic: pubsubOptions.topic,
  ...bigqueryOptions,
  publishTimeout: {
    type: "duration",
    describe: "Maximum time to wait for Pub/Sub to acknowledge an event, including retries",
    default: 10_000,
    check: between(100, 600_000),
    group: "Pub/Sub:",
  },
  maxInFlight: {
    type: "number",
    describe: "Maximum number of events in flight to Pub/Sub; above it requests get 503",
    default: 10_000,
    check: wholeNumber(1, 1_000_000),
    group: "Pub/Sub:",
  },
  maxInFlightBytes: {
    type: "number",
    describe: "Maximum size of the events in flight to Pub/Sub, in bytes; above it requests get 503",
    default: 33_554_432,
    check: wholeNumber(1024, 4_294_967_296),
    group: "Pub/Sub:",
  },
  queryTimeout: {
    type: "duration",
    describe: "Maximum time to wait for an answer from BigQuery",
    default: 10_000,
    check: between(100, 600_000),
    group: "BigQuery:",
  },
  cacheTtl: {
    type: "duration",
    describe: "Maximum age of the cached rollups that GET /event/ answers with",
    default: 2000,
    check: between(0, 3_600_000),
    group: "BigQuery:",
  },
  accessLog: {
    type: "enum",
    describe: "Requests to log: off, problems (5xx and slow requests) or all",
    default: "problems",
    choices: ACCESS_LOG_MODES,
    group: "Logs:",
  },
  slowRequest: {
    type: "duration",
    describe: "The access log counts requests that take at least this long as slow",
    default: 5000,
    check: between(1, 600_000),
    group: "Logs:",
  },
  logLevel: httpOptions.logLevel,
} as const satisfies OptionSpecs;

export type IngestOptions = Options<typeof ingestOptions>;

/** Cross-field validation for `readOptions`: options that have no effect without others. */
export function ingestOptionsProblems(options: Partial<IngestOptions>): string[] {
  const { keyRateLimit = 0, keyRateBurst = 0, addressRateLimit = 0, addressRateBurst = 0, keyNewIdLimit = 0 } = options;
  const needsLimit = (name: string): string =>
    `--${name}-rate-burst needs --${name}-rate-limit, the rate at which the burst refills`;
  return [
    ...(keyRateBurst > 0 && keyRateLimit === 0 ? [needsLimit("key")] : []),
    ...(addressRateBurst > 0 && addressRateLimit === 0 ? [needsLimit("address")] : []),
    ...(keyRateLimit > 0 && !(options.writeKeysFile ?? options.readKeysFile)
      ? ["--key-rate-limit needs --write-keys-file or --read-keys-file"]
      : []),
    ...(keyNewIdLimit > 0 && !options.writeKeysFile ? ["--key-new-id-limit needs --write-keys-file"] : []),
  ];
}
