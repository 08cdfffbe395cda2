import { parseNetwork } from "./ipAddress";
import { between, wholeNumber, type OptionSpecs } from "./options";
import { segmentPathOption } from "./segmentPath";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

const ANY = "*";
const ORIGIN = /^https?:\/\/[^/?#@\s*]+$/i;

/** Describes the first invalid origin of an option; undefined when all are valid. */
export function corsOriginsProblem(origins: readonly string[]): string | undefined {
  const wrong = origins.find((origin) => origin !== ANY && !ORIGIN.test(origin));
  if (wrong === undefined) return undefined;
  return `must list origins such as https://shop.example, without a path, or * (${JSON.stringify(wrong)} is not valid)`;
}

/** Describes the first invalid proxy of an option; undefined when all are valid. */
export function trustedProxiesProblem(proxies: readonly string[]): string | undefined {
  const wrong = proxies.find((proxy) => parseNetwork(proxy) === undefined);
  if (wrong === undefined) return undefined;
  return `must list addresses or networks such as 10.0.0.0/8 (${JSON.stringify(wrong)} is not valid)`;
}

/** Answer headers that pages of other origins may read. */
export const EXPOSED_HEADERS = "retry-after, x-event-id, x-event-warnings, x-request-id";

/** The options that ingest and nginx share, with the same names and meanings. */
export const httpOptions = {
  host: { type: "string", describe: "Address to listen on", default: "127.0.0.1", group: "HTTP:" },
  port: {
    type: "number",
    describe: "Port to listen on; 0 picks a free port",
    default: 3000,
    check: wholeNumber(0, 65535),
    group: "HTTP:",
  },
  bodyLimit: {
    type: "number",
    describe: "Maximum body size of POST /event/, in bytes after decompression",
    default: 65_536,
    check: wholeNumber(1024, 8_388_608),
    group: "HTTP:",
  },
  batchBodyLimit: {
    type: "number",
    describe: "Maximum body size of POST /events/, in bytes after decompression",
    default: 5_242_880,
    check: wholeNumber(1024, 67_108_864),
    group: "HTTP:",
  },
  corsOrigins: {
    type: "list",
    describe: "Origins whose pages may send events and read answers, such as https://shop.example; * allows any",
    default: [],
    check: corsOriginsProblem,
    group: "HTTP:",
  },
  segmentPath: segmentPathOption,
  drainTimeout: {
    type: "duration",
    describe: "Maximum time to finish requests in flight when stopping; the remaining connections are then closed",
    default: 12_000,
    check: between(100, 600_000),
    group: "HTTP:",
  },
  trustedProxies: {
    type: "list",
    describe: "Addresses and networks of proxies whose X-Forwarded-For and X-Real-IP headers are trusted",
    default: [],
    check: trustedProxiesProblem,
    group: "Access:",
  },
  logLevel: {
    type: "enum",
    describe: `Minimum level of log lines: ${LOG_LEVELS.join(", ")}`,
    default: "info",
    choices: LOG_LEVELS,
    group: "Logs:",
  },
} as const satisfies OptionSpecs;
