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
  return isIP(host) ? undefined : "must be an address such as 10.0.0.2 or 10.0.0.2:53";
}

/** The options of the nginx in front of the replicas. Those that replicas have, too, have the same names. */
export const nginxOptions = {
  upstreams: {
    type: "list",
    describe: "Replicas, as name:port or address:port; a name stands for all addresses that it has",
    check: upstreamsProblem,
    group: "Replicas:",
  },
  resolveInterval: {
    type: "duration",
    describe: "How often the names are looked up",
    default: 1000,
    check: between(100, 3_600_000),
    group: "Replicas:",
  },
  dnsServer: {
    type: "string",
    describe: "Who is asked for the names, address:port; the system when it is not given",
    optional: true,
    check: dnsServerProblem,
    group: "Replicas:",
  },
  upstreamTimeout: {
    type: "duration",
    describe: "How long a replica may take to answer: longer than its --publish-timeout and --query-timeout",
    default: 30_000,
    check: between(100, 3_600_000),
    group: "Replicas:",
  },
  host: httpOptions.host,
  port: { ...httpOptions.port, describe: "Port to listen on", default: 8080, check: wholeNumber(1, 65_535) },
  bodyLimit: { ...httpOptions.bodyLimit, describe: "The replicas' --body-limit, bytes" },
  batchBodyLimit: { ...httpOptions.batchBodyLimit, describe: "The replicas' --batch-body-limit, bytes" },
  corsOrigins: {
    ...httpOptions.corsOrigins,
    describe: "The replicas' --cors-origins: their pages can read what is refused here, too",
  },
  drainTimeout: httpOptions.drainTimeout,
  directory: {
    type: "string",
    describe: "Folder for all that is written: configuration, pid, large bodies, logs; made when it is not there",
    default: "/run/nginx",
    check: (path) => (isAbsolute(path) ? undefined : "must be an absolute path"),
    group: "HTTP:",
  },
  trustedProxies: {
    ...httpOptions.trustedProxies,
    describe: "Addresses and networks of proxies in front that tell the client's address in X-Forwarded-For",
  },
  addressRequestLimit: {
    type: "number",
    describe: "Most requests (a batch is one) a second of one client address; 0 is no limit",
    default: 0,
    check: requests,
    group: "Access:",
  },
  addressRequestBurst: {
    type: "number",
    describe: "So many more at once, of one client address; 0 is twice the limit",
    default: 0,
    check: requests,
    group: "Access:",
  },
  keyRequestLimit: {
    type: "number",
    describe: "Most requests a second with one key; 0 is no limit",
    default: 0,
    check: requests,
    group: "Access:",
  },
  keyRequestBurst: {
    type: "number",
    describe: "So many more at once, with one key; 0 is twice the limit",
    default: 0,
    check: requests,
    group: "Access:",
  },
  addressConcurrency: {
    type: "number",
    describe: "Most requests of one client address that are under way at one time; 0 is no limit",
    default: 0,
    check: wholeNumber(0, 65_535),
    group: "Access:",
  },
  accessLog: {
    type: "enum",
    describe:
      "Where a line of JSON for each request goes: off, file (access.log in the directory) or stdout (not a socket)",
    default: "file",
    choices: ACCESS_LOGS,
    group: "Logs:",
  },
  logLevel: httpOptions.logLevel,
} as const satisfies OptionSpecs;

export type NginxOptions = Options<typeof nginxOptions>;

/** For `readOptions`: options that mean nothing without others. */
export function nginxOptionsProblems(options: Partial<NginxOptions>): string[] {
  const { addressRequestLimit, addressRequestBurst = 0, keyRequestLimit, keyRequestBurst = 0 } = options;
  const needsLimit = (name: string): string =>
    `--${name}-request-burst needs --${name}-request-limit, which says how fast it fills again`;
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

/** What the configuration of nginx is made from, but for the replicas. Errors go to the supervisor, through stderr. */
export function configOptions(options: NginxOptions): Omit<NginxConfigOptions, "upstreams"> {
  const { directory, bodyLimit, batchBodyLimit, trustedProxies, corsOrigins } = options;
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
    upstreamTimeoutMs: options.upstreamTimeout,
    addressLimit: requestLimit(options.addressRequestLimit, options.addressRequestBurst),
    keyLimit: requestLimit(options.keyRequestLimit, options.keyRequestBurst),
    addressConcurrency: options.addressConcurrency || undefined,
  };
}
