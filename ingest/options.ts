import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { httpOptions } from "@eventlogger/options/httpOptions";
import { keyFileProblem } from "./access/keyFile";
import { ACCESS_LOG_MODES } from "./telemetry/accessLog";

const rate = (perSec: number): string | undefined =>
  perSec === 0 || (perSec >= 0.001 && perSec <= 1e9) ? undefined : "must be 0, or from 0.001 to 1000000000";

/** The options of an ingest replica. */
export const ingestOptions = {
  host: httpOptions.host,
  port: httpOptions.port,
  bodyLimit: httpOptions.bodyLimit,
  batchBodyLimit: httpOptions.batchBodyLimit,
  maxBatchEvents: {
    type: "number",
    describe: "Most events of one POST",
    default: 1000,
    check: wholeNumber(1, 10_000),
    group: "HTTP:",
  },
  maxBodyBytes: {
    type: "number",
    describe: "Most bytes of bodies that are being read at one time; more are refused with 503",
    default: 67_108_864,
    check: wholeNumber(1024, 4_294_967_296),
    group: "HTTP:",
  },
  maxLoopLag: {
    type: "duration",
    describe: "Requests are refused with 503 while the event loop lags more than this",
    default: 2000,
    check: between(10, 60_000),
    group: "HTTP:",
  },
  corsOrigins: httpOptions.corsOrigins,
  writeKeysFile: {
    type: "string",
    describe: "File of keys, one a line or JSON, of which one is needed to send events; read again when it changes",
    optional: true,
    check: keyFileProblem,
    group: "Access:",
  },
  readKeysFile: {
    type: "string",
    describe: "The same for reading the rollups",
    optional: true,
    check: keyFileProblem,
    group: "Access:",
  },
  addressRateLimit: {
    type: "number",
    describe:
      "Most events, and most reads, a second of one client address; 0 is no limit. Behind proxies: --trusted-proxies",
    default: 0,
    check: rate,
    group: "Access:",
  },
  addressRateBurst: {
    type: "number",
    describe: "So many at once after a rest, of one client address; 0 is twice the limit",
    default: 0,
    check: rate,
    group: "Access:",
  },
  keyRateLimit: {
    type: "number",
    describe: "Most events, and most reads, a second with one key; 0 is no limit",
    default: 0,
    check: rate,
    group: "Access:",
  },
  keyRateBurst: {
    type: "number",
    describe: "So many at once after a rest, with one key; 0 is twice the limit",
    default: 0,
    check: rate,
    group: "Access:",
  },
  trustedProxies: httpOptions.trustedProxies,
  maxConnections: {
    type: "number",
    describe: "Most connections at one time",
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
    describe: "How long Pub/Sub may take to acknowledge an event, retries included",
    default: 10_000,
    check: between(100, 600_000),
    group: "Pub/Sub:",
  },
  maxInFlight: {
    type: "number",
    describe: "Most events that wait for Pub/Sub at one time; more are refused with 503",
    default: 10_000,
    check: wholeNumber(1, 1_000_000),
    group: "Pub/Sub:",
  },
  maxInFlightBytes: {
    type: "number",
    describe: "Most bytes of events that wait for Pub/Sub at one time; more are refused with 503",
    default: 33_554_432,
    check: wholeNumber(1024, 4_294_967_296),
    group: "Pub/Sub:",
  },
  queryTimeout: {
    type: "duration",
    describe: "How long BigQuery may take to answer",
    default: 10_000,
    check: between(100, 600_000),
    group: "BigQuery:",
  },
  cacheTtl: {
    type: "duration",
    describe: "How old an answer of GET /event/ may be",
    default: 2000,
    check: between(0, 3_600_000),
    group: "BigQuery:",
  },
  accessLog: {
    type: "enum",
    describe: "Requests to log: off, problems (5xx and slow ones) or all",
    default: "problems",
    choices: ACCESS_LOG_MODES,
    group: "Logs:",
  },
  slowRequest: {
    type: "duration",
    describe: "From how long on a request is slow, for the access log",
    default: 5000,
    check: between(1, 600_000),
    group: "Logs:",
  },
  logLevel: httpOptions.logLevel,
} as const satisfies OptionSpecs;

export type IngestOptions = Options<typeof ingestOptions>;

/** For `readOptions`: options that mean nothing without others. */
export function ingestOptionsProblems(options: Partial<IngestOptions>): string[] {
  const { keyRateLimit = 0, keyRateBurst = 0, addressRateLimit = 0, addressRateBurst = 0 } = options;
  const needsLimit = (name: string): string =>
    `--${name}-rate-burst needs --${name}-rate-limit, which says how fast it fills again`;
  return [
    ...(keyRateBurst > 0 && keyRateLimit === 0 ? [needsLimit("key")] : []),
    ...(addressRateBurst > 0 && addressRateLimit === 0 ? [needsLimit("address")] : []),
    ...(keyRateLimit > 0 && !(options.writeKeysFile ?? options.readKeysFile)
      ? ["--key-rate-limit needs --write-keys-file or --read-keys-file, which say which keys there are"]
      : []),
  ];
}
