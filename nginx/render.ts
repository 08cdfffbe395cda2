import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { packageRoot } from "../config/packageRoot";

export interface NginxConfigOptions {
  /** Port nginx listens on. */
  readonly listenPort: number;
  /** Address nginx listens on. @default "127.0.0.1" */
  readonly listenHost?: string;
  /** Ports of the ingest replicas. */
  readonly upstreamPorts: readonly number[];
  /** Address of the ingest replicas. @default "127.0.0.1" */
  readonly upstreamHost?: string;
  /** Absolute path of an existing directory for pid file, logs and temporary files. */
  readonly directory: string;
  /** The replicas' --body-limit, bytes. @default 65536 */
  readonly bodyLimit?: number;
  /** The replicas' --batch-body-limit, bytes. @default 5242880 */
  readonly batchBodyLimit?: number;
  /** How long a replica may take to answer, ms: longer than its --publish-timeout. @default 30000 */
  readonly upstreamTimeoutMs?: number;
  /** @default 4096 */
  readonly workerConnections?: number;
  /** Of each client address. @default none */
  readonly addressLimit?: RequestLimit;
  /** Of each key; requests without a key are not counted. @default none */
  readonly keyLimit?: RequestLimit;
  /** Most requests of one client address that are under way at one time. @default none */
  readonly addressConcurrency?: number;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. @default none */
  readonly trustedProxies?: readonly string[];
}

/** Requests (a batch is one) over it are answered with 429 and Retry-After. */
export interface RequestLimit {
  readonly perSecond: number;
  /** So many more at once. @default twice perSecond */
  readonly burst?: number;
}

/** Requests for one event up to this many times the replicas' limit reach them, and are refused there. */
const SIZE_MARGIN = 16;

/** Memory for the clients that are told apart, some 16,000 in each MiB; the one not seen for longest makes room. */
const ZONE_SIZE = "8m";
const RETRY_AFTER_SEC = 1;

/** On every answer; nothing here is a page. A location with headers of its own inherits none, so they are repeated there. */
const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
};

const headers = (all: Readonly<Record<string, string>>, indent: string): string =>
  Object.entries(all)
    .map(([name, value]) => `${indent}add_header ${name} "${value}" always;`)
    .join("\n");

function errorLocation(
  name: string,
  status: number,
  message: string,
  own: Readonly<Record<string, string>> = {},
): string {
  const body = JSON.stringify({ errors: [{ field: "", message }] });
  const all = { ...SECURITY_HEADERS, "X-Request-Id": "$edge_request_id", ...own };
  return [
    `        location ${name} {`,
    "            internal;",
    "            default_type application/json;",
    headers(all, "            "),
    `            return ${status} '${body}';`,
    "        }",
  ].join("\n");
}

function errorLocations(bodyLimit: number, batchBodyLimit: number): string {
  const retry = { "Retry-After": String(RETRY_AFTER_SEC) };
  return [
    errorLocation("= /-/bad-request", 400, "The HTTP request cannot be read"),
    errorLocation("@not_found", 404, "There is nothing at this address"),
    errorLocation("@bad_method", 405, "This address does not take this method"),
    errorLocation("@too_large", 413, `must not be larger than ${bodyLimit} bytes`),
    errorLocation("@batch_too_large", 413, `must not be larger than ${batchBodyLimit} bytes`),
    errorLocation("@too_many", 429, "Too many requests; nothing was accepted, send the request again later", retry),
    errorLocation("= /-/headers-too-large", 431, "The address or the headers of the request are too large"),
    errorLocation("@unavailable", 503, "No replica answers; send the request again", retry),
  ].join("\n");
}

function checkPositive(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
    throw new Error(`nginx ${name} must be a whole number above 0, not ${value}`);
  }
}

/** The two directives of a limit: its zone, for `http`, and its use, for `server`. */
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
 * A replica that failed three times rests for a second. Each is its own backup: when all of them rest, all are asked all
 * the same, for replicas restarted one after the other rest at one time while one of them is up.
 */
function servers(addresses: readonly string[]): string {
  const once = addresses.map((address) => `        server ${address} max_fails=3 fail_timeout=1s;`);
  const again = addresses.map((address) => `        server ${address} max_fails=0 backup;`);
  return [...once, ...again].join("\n");
}

const template = (): string => readFileSync(join(packageRoot, "nginx", "nginx.conf.template"), "utf8");

function checkDirectory(directory: string): void {
  if (!isAbsolute(directory)) throw new Error(`nginx directory must be an absolute path, not ${directory}`);
  // nginx has no way to write these in every place a path stands in.
  if (/["$\\\r\n]/.test(directory)) {
    throw new Error(`nginx directory must not contain quotes, $, backslashes or line breaks: ${directory}`);
  }
}

/**
 * The configuration of an nginx in front of ingest replicas (see nginx.conf.template).
 * @throws Error when there is no upstream or the directory cannot stand in a configuration.
 */
export function renderNginxConfig(options: NginxConfigOptions): string {
  const { listenPort, listenHost = "127.0.0.1", upstreamPorts, upstreamHost = "127.0.0.1", directory } = options;
  const {
    bodyLimit = 65_536,
    batchBodyLimit = 5_242_880,
    upstreamTimeoutMs = 30_000,
    workerConnections = 4096,
  } = options;
  if (upstreamPorts.length === 0) throw new Error("nginx needs at least one upstream port");
  checkDirectory(directory);
  const values: Readonly<Record<string, string>> = {
    directory,
    // Started by root, nginx would work as another user, who may not write large bodies to the directory.
    user: process.getuid?.() === 0 ? `user ${userInfo().username};` : "",
    workerConnections: String(workerConnections),
    clientMaxBodySize: String(bodyLimit * SIZE_MARGIN),
    batchClientMaxBodySize: String(batchBodyLimit),
    servers: servers(upstreamPorts.map((port) => `${upstreamHost}:${port}`)),
    ...limitDirectives(options),
    trustedProxies: realAddress(options.trustedProxies ?? []),
    securityHeaders: headers(SECURITY_HEADERS, "        "),
    errorLocations: errorLocations(bodyLimit, batchBodyLimit),
    listen: `${listenHost}:${listenPort}`,
    upstreamTimeout: `${upstreamTimeoutMs}ms`,
  };
  return template().replace(/\$\{(\w*)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/** Arguments for nginx to run with a configuration file, writing nothing outside `directory`. */
export function nginxArguments(configFile: string, directory: string): string[] {
  // -e: the place for errors until the configuration has been read; the built-in one may need root.
  return ["-p", directory, "-e", join(directory, "error.log"), "-c", configFile];
}
