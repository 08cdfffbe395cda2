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
}

/** Requests up to this many times the replicas' limit reach them, and are refused there with a full answer. */
const SIZE_MARGIN = 16;
const BATCH_SIZE_MARGIN = 2;

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
    bodyLimit: String(bodyLimit),
    batchClientMaxBodySize: String(batchBodyLimit * BATCH_SIZE_MARGIN),
    batchBodyLimit: String(batchBodyLimit),
    // No replica is put out of service: to be refused a connection costs nothing, while two replicas restarted one after
    // the other would both be out of service for a moment in which one of them is up.
    servers: upstreamPorts.map((port) => `        server ${upstreamHost}:${port} max_fails=0;`).join("\n"),
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
