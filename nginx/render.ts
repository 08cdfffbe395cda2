import { readFileSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import { isIPv6 } from "node:net";
import { userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { EXPOSED_HEADERS } from "@eventlogger/options/httpOptions";
import { SEGMENT_NAMES, segmentPathOption, segmentPathProblem } from "@eventlogger/options/segmentPath";
import { upstreamsProblem } from "./upstreams";

export interface NginxConfigOptions {
  /** Port nginx listens on. */
  readonly listenPort: number;
  /** Address nginx listens on. @default "127.0.0.1" */
  readonly listenHost?: string;
  /** The ingest replicas, as `host:port`; IPv6 addresses in brackets. */
  readonly upstreams: readonly string[];
  /** Absolute path of an existing directory for pid file, logs and temporary files. */
  readonly directory: string;
  /** File with one line per request, or "off". @default access.log in the directory */
  readonly accessLog?: string;
  /** A file, or "stderr". @default error.log in the directory */
  readonly errorLog?: string;
  /** The replicas' --body-limit, bytes. @default 65536 */
  readonly bodyLimit?: number;
  /** The replicas' --batch-body-limit, bytes. @default 5242880 */
  readonly batchBodyLimit?: number;
  /** Time limit for an answer of a replica, ms; longer than its --publish-timeout. @default 30000 */
  readonly upstreamTimeoutMs?: number;
  /** @default 4096 */
  readonly workerConnections?: number;
  /** Limit per client address. @default none */
  readonly addressLimit?: RequestLimit;
  /** Limit per key; requests without a key are not counted. @default none */
  readonly keyLimit?: RequestLimit;
  /** Maximum number of concurrent requests per client address. @default none */
  readonly addressConcurrency?: number;
  /** Addresses and networks of proxies whose X-Forwarded-For is trusted. @default none */
  readonly trustedProxies?: readonly string[];
  /** The --cors-origins of the replicas; their pages can also read nginx's own errors. @default none */
  readonly corsOrigins?: readonly string[];
  /** The --segment-path of the replicas. @default "/v1" */
  readonly segmentPath?: string;
}

/** Requests above the limit (a batch is one request) are answered with 429 and Retry-After. */
export interface RequestLimit {
  readonly perSecond: number;
  /** Burst above the rate, requests. @default twice perSecond */
  readonly burst?: number;
}

/** Bodies of single events up to this multiple of the limit are passed on; the replicas refuse them. */
const SIZE_MARGIN = 16;

/** Memory for rate limits, about 16,000 clients per MiB; the least recently seen client is dropped. */
const ZONE_SIZE = "8m";
const RETRY_AFTER_SEC = 1;

/** Added to every answer; none of them is a page. A location with its own headers inherits none, so it repeats them. */
const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
};

type Headers = Readonly<Record<string, string>>;

const headers = (all: Headers, indent: string): string =>
  Object.entries(all)
    .map(([name, value]) => `${indent}add_header ${name} "${value}" always;`)
    .join("\n");

/** An answer of nginx itself. */
interface OwnError {
  /** The statuses of nginx that it replaces; those above 490 are nginx's own. */
  readonly statuses: readonly [number, ...number[]];
  /** The status that the client gets. @default the first of the statuses */
  readonly answer?: number;
  readonly message: string;
  readonly headers?: Headers;
}

const RETRY = { "Retry-After": String(RETRY_AFTER_SEC) };

/** The statuses without a message of their own that nginx has pages for. Most of them need modules that are not used. */
const OTHER_STATUSES = [401, 402, 403, 406, 408, 409, 410, 411, 412, 415, 416, 421, 500, 501, 505, 507];

/** Every status that nginx can answer with by itself. Without an entry here, nginx would send a page of HTML. */
function ownErrors(bodyLimit: number): readonly OwnError[] {
  return [
    { statuses: [400, 495, 496, 497], message: "The HTTP request is not valid" },
    { statuses: [404], message: "Not found" },
    { statuses: [405], message: "This method is not allowed here" },
    { statuses: [413], message: `must not be larger than ${bodyLimit} bytes` },
    { statuses: [429], message: "Rate limit exceeded; nothing was accepted, retry later", headers: RETRY },
    { statuses: [414, 494], answer: 431, message: "The URL or the headers of the request are too large" },
    { statuses: [502, 503, 504], answer: 503, message: "No replica is available; retry", headers: RETRY },
    ...OTHER_STATUSES.map((status): OwnError => ({ statuses: [status], message: STATUS_CODES[status] ?? "Error" })),
  ];
}

const answerOf = ({ statuses, answer = statuses[0] }: OwnError): number => answer;
/**
 * Answers to requests whose first line or headers nginx cannot read. It can redirect them to a path only, which the access
 * log then shows. A named location keeps the method and the path.
 */
const UNREADABLE = [400, 431, 505];

function errorPlace(error: OwnError, kind: string): { readonly place: string; readonly location: string } {
  const name = `${kind}${answerOf(error)}`;
  return UNREADABLE.includes(answerOf(error))
    ? { place: `/-/${name}`, location: `= /-/${name}` }
    : { place: `@${name}`, location: `@${name}` };
}

/** The directives that lead to the {@link errorLocations}. A location with any error_page inherits none. */
function errorPages(errors: readonly OwnError[], kind: string, indent: string): string {
  return errors
    .map(
      (error) =>
        `${indent}error_page ${error.statuses.join(" ")} =${answerOf(error)} ${errorPlace(error, kind).place};`,
    )
    .join("\n");
}

/** The locations that answer with errors, in the same shape as those of the replicas. */
function errorLocations(errors: readonly OwnError[], kind: string, cors: Headers): string {
  return errors
    .map((error) => {
      const body = JSON.stringify({ errors: [{ field: "", message: error.message }] });
      const all = { ...SECURITY_HEADERS, "X-Request-Id": "$edge_request_id", ...cors, ...error.headers };
      return [
        `        location ${errorPlace(error, kind).location} {`,
        "            internal;",
        "            default_type application/json;",
        headers(all, "            "),
        `            return ${answerOf(error)} '${body}';`,
        "        }",
      ].join("\n");
    })
    .join("\n");
}

/**
 * CORS headers for nginx's own errors. The answers of replicas already have them (ingest/http/cors.ts). nginx omits headers
 * with an empty value.
 */
function cors(origins: readonly string[]): { readonly maps: string; readonly headers: Headers } {
  if (origins.length === 0) return { maps: "", headers: {} };
  const wrong = origins.find((origin) => UNQUOTABLE.test(origin));
  if (wrong !== undefined) throw new Error(`nginx corsOrigins must not contain quotes, $ or backslashes: ${wrong}`);
  if (origins.includes("*")) {
    return {
      maps: "",
      headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED_HEADERS },
    };
  }
  const maps = [
    "    map $http_origin $cors_origin {",
    '        default "";',
    ...origins.map((origin) => `        "${origin}" $http_origin;`),
    "    }",
    "    map $cors_origin $cors_exposed {",
    '        "" "";',
    `        default "${EXPOSED_HEADERS}";`,
    "    }",
    "",
  ];
  return {
    maps: maps.join("\n"),
    headers: {
      Vary: "Origin",
      "Access-Control-Allow-Origin": "$cors_origin",
      "Access-Control-Expose-Headers": "$cors_exposed",
    },
  };
}

function checkPositive(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
    throw new Error(`nginx ${name} must be a whole number above 0, not ${value}`);
  }
}

/** The two directives of a limit: its zone for `http`, and its use for `server`. */
function requestLimit(zone: string, key: string, limit: RequestLimit | undefined): { zone: string; use: string } {
  if (!limit) return { zone: "", use: "" };
  const { perSecond, burst = 2 * perSecond } = limit;
  checkPositive(`limit per ${zone}`, perSecond);
  checkPositive(`burst per ${zone}`, burst);
  return {
    zone: `    limit_req_zone ${key} zone=${zone}:${ZONE_SIZE} rate=${perSecond}r/s;\n`,
    use: `        limit_req zone=${zone} burst=${burst} nodelay;\n`,
  };
}

function limitDirectives(options: NginxConfigOptions): { limitZones: string; limits: string } {
  const { addressConcurrency } = options;
  checkPositive("addressConcurrency", addressConcurrency);
  const address = requestLimit("address", "$binary_remote_addr", options.addressLimit);
  const key = requestLimit("key", "$client_key", options.keyLimit);
  const zones = addressConcurrency ? `    limit_conn_zone $binary_remote_addr zone=concurrency:${ZONE_SIZE};\n` : "";
  const use = addressConcurrency ? `        limit_conn concurrency ${addressConcurrency};\n` : "";
  return {
    limitZones: address.zone + key.zone + zones,
    limits: `        limit_req_status 429;\n        limit_conn_status 429;\n${address.use}${key.use}${use}`.trimEnd(),
  };
}

function realAddress(proxies: readonly string[]): string {
  const wrong = proxies.find((proxy) => !/^[\da-fA-F.:]+(\/\d{1,3})?$/.test(proxy));
  if (wrong !== undefined) throw new Error(`nginx trustedProxies must be addresses or networks, not ${wrong}`);
  if (proxies.length === 0) return "";
  const trusted = proxies.map((proxy) => `    set_real_ip_from ${proxy};\n`).join("");
  return `${trusted}    real_ip_header X-Forwarded-For;\n    real_ip_recursive on;\n`;
}

/**
 * A replica that failed three times is skipped for a second. Each replica is also its own backup: when all are skipped,
 * nginx tries all of them anyway, because during a rolling restart one of them may already be up again.
 */
function servers(addresses: readonly string[]): string {
  const once = addresses.map((address) => `        server ${address} max_fails=3 fail_timeout=1s;`);
  const again = addresses.map((address) => `        server ${address} max_fails=0 backup;`);
  return [...once, ...again].join("\n");
}

/** Regular expressions for the paths of Segment's libraries. @throws Error when the path is not one */
function segmentPaths(path: string): {
  readonly segmentPath: string;
  readonly batchPaths: string;
  readonly paths: string;
} {
  const problem = segmentPathProblem(path);
  if (problem !== undefined) throw new Error(`nginx segmentPath ${problem}, not ${path}`);
  const segmentPath = path.replaceAll(".", "\\.");
  const among = (names: readonly string[]): string => `${segmentPath}/(${names.join("|")})`;
  return {
    segmentPath,
    batchPaths: `/events|${among(SEGMENT_NAMES.batch)}`,
    paths: among(Object.values(SEGMENT_NAMES).flat()),
  };
}

const template = (): string => readFileSync(join(packageRootOf(__filename), "nginx.conf.template"), "utf8");

/** Characters that nginx cannot quote in every place. */
const UNQUOTABLE = /["$\\\r\n]/;

function checkPath(name: string, path: string): void {
  if (!isAbsolute(path)) throw new Error(`nginx ${name} must be an absolute path, not ${path}`);
  if (UNQUOTABLE.test(path)) {
    throw new Error(`nginx ${name} must not contain quotes, $, backslashes or line breaks: ${path}`);
  }
}

/** The directives of both logs. */
function logs(accessLog: string, errorLog: string): { readonly accessLog: string; readonly errorLog: string } {
  if (accessLog !== "off") checkPath("accessLog", accessLog);
  if (errorLog !== "stderr") checkPath("errorLog", errorLog);
  return {
    accessLog: accessLog === "off" ? "access_log off;" : `access_log "${accessLog}" json buffer=64k flush=1s;`,
    errorLog: `error_log "${errorLog}" alert;`,
  };
}

/** How long a replaced worker may run to finish its requests: the answer of a replica, plus a slow client. */
const shutdownTimeoutMs = (upstreamTimeoutMs: number): number => 2 * upstreamTimeoutMs;

/**
 * The configuration of an nginx in front of ingest replicas (see nginx.conf.template).
 * @throws Error without upstreams, or when a value is not allowed in a configuration.
 */
export function renderNginxConfig(options: NginxConfigOptions): string {
  const { listenPort, listenHost = "127.0.0.1", upstreams, directory } = options;
  const {
    accessLog = join(directory, "access.log"),
    errorLog = join(directory, "error.log"),
    bodyLimit = 65_536,
    batchBodyLimit = 5_242_880,
    upstreamTimeoutMs = 30_000,
    workerConnections = 4096,
    corsOrigins = [],
    segmentPath = segmentPathOption.default,
  } = options;
  const wrong = upstreamsProblem(upstreams);
  if (wrong !== undefined) throw new Error(`nginx upstreams ${wrong}`);
  checkPath("directory", directory);
  const { maps: corsMaps, headers: corsHeaders } = cors(corsOrigins);
  const segment = segmentPaths(segmentPath);
  const errors = ownErrors(bodyLimit);
  const batchErrors = ownErrors(batchBodyLimit);
  const batchOnly = batchErrors.filter(({ statuses }) => statuses.includes(413));
  const otherErrors = errors.filter(({ statuses }) => !statuses.includes(413));
  const values: Readonly<Record<string, string>> = {
    directory,
    // Started by root, the workers would run as another user, who could not write large bodies to the directory.
    user: process.getuid?.() === 0 ? `user ${userInfo().username};` : "",
    ...logs(accessLog, errorLog),
    workerConnections: String(workerConnections),
    shutdownTimeout: `${shutdownTimeoutMs(upstreamTimeoutMs)}ms`,
    clientMaxBodySize: String(bodyLimit * SIZE_MARGIN),
    batchClientMaxBodySize: String(batchBodyLimit),
    segmentPath: segment.segmentPath,
    segmentPaths: segment.paths,
    batchPaths: segment.batchPaths,
    servers: servers(upstreams),
    ...limitDirectives(options),
    trustedProxies: realAddress(options.trustedProxies ?? []),
    corsMaps,
    securityHeaders: headers(SECURITY_HEADERS, "        "),
    errorPages: errorPages(errors, "", "        "),
    batchErrorPages: [
      errorPages(otherErrors, "", "            "),
      errorPages(batchOnly, "batch-", "            "),
    ].join("\n"),
    errorLocations: [errorLocations(errors, "", corsHeaders), errorLocations(batchOnly, "batch-", corsHeaders)].join(
      "\n",
    ),
    listen: `${isIPv6(listenHost) ? `[${listenHost}]` : listenHost}:${listenPort}`,
    upstreamTimeout: `${upstreamTimeoutMs}ms`,
  };
  return template().replace(/\$\{(\w*)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/**
 * Arguments for nginx to run with a configuration file, writing nothing outside `directory`.
 * @param errorLog destination of errors before the configuration is read; the default path of nginx may need root
 */
export function nginxArguments(
  configFile: string,
  directory: string,
  errorLog = join(directory, "error.log"),
): string[] {
  return ["-p", directory, "-e", errorLog, "-c", configFile];
}
