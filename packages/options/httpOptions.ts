import { parseNetwork } from "./ipAddress";
import { between, wholeNumber, type OptionSpecs } from "./options";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

const ANY = "*";
const ORIGIN = /^https?:\/\/[^/?#@\s*]+$/i;

/** What is wrong with the origins of an option, or undefined. */
export function corsOriginsProblem(origins: readonly string[]): string | undefined {
  const wrong = origins.find((origin) => origin !== ANY && !ORIGIN.test(origin));
  if (wrong === undefined) return undefined;
  return `must list origins such as https://shop.example, without a path, or *; ${JSON.stringify(wrong)} is none`;
}

/** What is wrong with the proxies of an option, or undefined. */
export function trustedProxiesProblem(proxies: readonly string[]): string | undefined {
  const wrong = proxies.find((proxy) => parseNetwork(proxy) === undefined);
  if (wrong === undefined) return undefined;
  return `must list addresses or networks such as 10.0.0.0/8; ${JSON.stringify(wrong)} is none`;
}

/** Headers of answers that pages may read beyond those that need no permission. */
export const EXPOSED_HEADERS = "retry-after, x-request-id";

/** The options that ingest and the nginx in front of it share, with the same names and the same meaning. */
export const httpOptions = {
  host: { type: "string", describe: "Address to listen on", default: "127.0.0.1", group: "HTTP:" },
  port: {
    type: "number",
    describe: "Port to listen on; 0 takes any free one",
    default: 3000,
    check: wholeNumber(0, 65535),
    group: "HTTP:",
  },
  bodyLimit: {
    type: "number",
    describe: "Largest body of a POST of one event, bytes after decompression",
    default: 65_536,
    check: wholeNumber(1024, 8_388_608),
    group: "HTTP:",
  },
  batchBodyLimit: {
    type: "number",
    describe: "Largest body of a POST of many events, bytes after decompression",
    default: 5_242_880,
    check: wholeNumber(1024, 67_108_864),
    group: "HTTP:",
  },
  corsOrigins: {
    type: "list",
    describe: "Origins whose pages may send and read, such as https://shop.example; * is any",
    default: [],
    check: corsOriginsProblem,
    group: "HTTP:",
  },
  drainTimeout: {
    type: "duration",
    describe: "How long a stop may take before what is still open is cut",
    default: 12_000,
    check: between(100, 600_000),
    group: "HTTP:",
  },
  trustedProxies: {
    type: "list",
    describe: "Addresses and networks of proxies that tell the client's address in X-Forwarded-For or X-Real-IP",
    default: [],
    check: trustedProxiesProblem,
    group: "Access:",
  },
  logLevel: {
    type: "enum",
    describe: `One of ${LOG_LEVELS.join(", ")}`,
    default: "info",
    choices: LOG_LEVELS,
    group: "Logs:",
  },
} as const satisfies OptionSpecs;
