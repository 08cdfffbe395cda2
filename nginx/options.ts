import { isIP } from "node:net";
import { isAbsolute, join } from "node:path";
import { between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { httpOptions } from "@eventlogger/options/httpOptions";
import type { NginxConfigOptions, RequestLimit } from "./render";
import { upstreamsProblem } from "./upstreams";

const ACCESS_LOGS = ["off", "file", "stdout"] as const;
const requests = wholeNumber(0, 1_000_000);

function dnsServerProblem(server: string): string | undefined {
  const host = isIP(server) ? server : (/^(?:\[([^\]]+)\]|([^:]+)):\d{1,5}$/.exec(server)?.slice(1).join("") ?? "");
  return isIP(host) ? undefined : "must be an IP address with an optional port, such as 10.0.0.2 or 10.0.0.2:53";
}

/** The options of nginx. Options that replicas also have share their names. */
export const nginxOptions = {
  upstreams: {
    type: "list",
    describe: "Replicas, as name:port or address:port; a name means all its addresses",
    check: upstreamsProblem,
    group: "Replicas:",
  },
  resolveInterval: {
    type: "duration",
    describe: "Interval between lookups of the names",
    default: 1000,
    check: between(100, 3_600_000),
    group: "Replicas:",
  },
  dnsServer: {
    type: "string",
    describe: "DNS server for the names, as address:port; default: the resolver of the system",
    optional: true,
    check: dnsServerProblem,
    group: "Replicas:",
  },
  upstreamTimeout: {
    type: "duration",
    describe: "Maximum time to wait for a replica; set it longer than its --publish-timeout and --query-timeout",
    default: 30_000,
    check: between(100, 3_600_000),
    group: "Replicas:",
  },
  host: httpOptions.host,
  port: { ...httpOptions.port, describe: "Port to listen on", default: 8080, check: wholeNumber(1, 65_535) },
  bodyLimit: { ...httpOptions.bodyLimit, describe: "The --body-limit of the replicas, in bytes" },
  batchBodyLimit: { ...httpOptions.batchBodyLimit, describe: "The --batch-body-limit of the replicas, in bytes" },
  corsOrigins: {
    ...httpOptions.corsOrigins,
    describe: "The --cors-origins of the replicas; pages of these origins can then also read nginx's own errors",
  },
  segmentPath: { ...httpOptions.segmentPath, describe: "The --segment-path of the replicas" },
  drainTimeout: httpOptions.drainTimeout,
  directory: {
    type: "string",
    describe:
      "Folder for everything that nginx writes: configuration, pid file, large bodies, logs; created if it does not exist",
    default: "/run/nginx",
    check: (path) => (isAbsolute(path) ? undefined : "must be an absolute path"),
    group: "HTTP:",
  },
  trustedProxies: {
    ...httpOptions.trustedProxies,
    describe: "Addresses and networks of proxies whose X-Forwarded-For header is trusted",
  },
  addressRequestLimit: {
    type: "number",
    describe: "Rate limit per client address, in requests per second (a batch is one request); 0 disables it",
    default: 0,
    check: requests,
    group: "Access:",
  },
  addressRequestBurst: {
    type: "number",
    describe: "Burst above the rate, per client address, in requests; 0 means twice the rate",
    default: 0,
    check: requests,
    group: "Access:",
  },
  keyRequestLimit: {
    type: "number",
    describe: "Rate limit per key, in requests per second; 0 disables it",
    default: 0,
    check: requests,
    group: "Access:",
  },
  keyRequestBurst: {
    type: "number",
    describe: "Burst above the rate, per key, in requests; 0 means twice the rate",
    default: 0,
    check: requests,
    group: "Access:",
  },
  addressConcurrency: {
    type: "number",
    describe: "Maximum number of concurrent requests per client address; 0 disables the limit",
    default: 0,
    check: wholeNumber(0, 65_535),
    group: "Access:",
  },
  accessLog: {
    type: "enum",
    describe:
      "Destination of the access log, one line of JSON per request: off, file (access.log in --directory) or stdout (not a socket)",
    default: "file",
    choices: ACCESS_LOGS,
    group: "Logs:",
  },
  logLevel: httpOptions.logLevel,
} as const satisfies OptionSpecs;

export type NginxOptions = Options<typeof nginxOptions>;

/** Cross-field validation for `readOptions`: options that have no effect without others. */
export function nginxOptionsProblems(options: Partial<NginxOptions>): string[] {
  const { addressRequestLimit, addressRequestBurst = 0, keyRequestLimit, keyRequestBurst = 0 } = options;
  const needsLimit = (name: string): string =>
    `--${name}-request-burst needs --${name}-request-limit, the rate at which the burst refills`;
  return [
    ...(addressRequestBurst > 0 && addressRequestLimit === 0 ? [needsLimit("address")] : []),
    ...(keyRequestBurst > 0 && keyRequestLimit === 0 ? [needsLimit("key")] : []),
  ];
}

function requestLimit(perSecond: number, burst: number): RequestLimit | undefined {
  return perSecond > 0 ? { perSecond, ...(burst > 0 ? { burst } : {}) } : undefined;
}

function accessLogFile({ accessLog, directory }: NginxOptions): string {
  if (accessLog === "off") return "off";
  return accessLog === "stdout" ? "/dev/stdout" : join(directory, "access.log");
}

/** The values for the configuration of nginx, without the replicas. Errors go to the supervisor through stderr. */
export function configOptions(options: NginxOptions): Omit<NginxConfigOptions, "upstreams"> {
  const { directory, bodyLimit, batchBodyLimit, trustedProxies, corsOrigins, segmentPath } = options;
  return {
    listenHost: options.host,
    listenPort: options.port,
    directory,
    accessLog: accessLogFile(options),
    errorLog: "stderr",
    bodyLimit,
    batchBodyLimit,
    trustedProxies,
    corsOrigins,
    segmentPath,
    upstreamTimeoutMs: options.upstreamTimeout,
    addressLimit: requestLimit(options.addressRequestLimit, options.addressRequestBurst),
    keyLimit: requestLimit(options.keyRequestLimit, options.keyRequestBurst),
    addressConcurrency: options.addressConcurrency || undefined,
  };
}
