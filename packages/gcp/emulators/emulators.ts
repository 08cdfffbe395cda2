import { mkdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort, freePorts } from "@eventlogger/process/ports";
import { pubSubEmulatorPatch } from "./pubsubEmulatorPatch";
import { ensurePythonEnvironment } from "./python/environment";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { findPubSubEmulatorJar, javaCommand } from "./prerequisites";

const READY_WITHIN_MS = 60_000;

export interface Emulator {
  readonly process: ChildProcess;
  /** Stops the process and all it started; safe to repeat. */
  stop(): Promise<void>;
}

export interface PubSubEmulator extends Emulator {
  /** `127.0.0.1:PORT`, the value for PUBSUB_EMULATOR_HOST. */
  readonly host: string;
}

export interface BigQueryEmulator extends Emulator {
  /** `http://127.0.0.1:PORT`, the value for BIGQUERY_ENDPOINT. */
  readonly url: string;
  /** `127.0.0.1:PORT` of the Storage API. */
  readonly grpcHost: string;
}

/** A program to run, and what it needs. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Google's Pub/Sub emulator, which keeps everything in memory.
 * @throws Error when it is not installed
 */
export async function pubSubEmulatorProgram(host: string, port: number): Promise<Program> {
  const jar = await findPubSubEmulatorJar();
  if (!jar) {
    throw new Error("Google's Pub/Sub emulator is not installed: gcloud components install pubsub-emulator");
  }
  const classpath = [...(await pubSubEmulatorPatch(jar)), jar].join(delimiter);
  const main = "com.google.cloud.pubsub.testing.v1.Main";
  // Not through gcloud: that puts a Python process in between. The heap grows to what it may, so it is capped.
  return { command: javaCommand(), args: ["-Xmx1g", "-cp", classpath, main, `--host=${host}`, `--port=${port}`] };
}

/**
 * The BigQuery emulator; it is installed first when it is absent.
 * @param options.dataDir made when absent; what is in it already is served.
 * @param options.port of REST
 * @param options.grpcPort of the Storage API
 * @param options.project for requests that name none. @default "demo-project"
 * @throws Error when it cannot be installed
 */
export async function bigQueryEmulatorProgram(options: {
  dataDir: string;
  host: string;
  port: number;
  grpcPort: number;
  project?: string | undefined;
}): Promise<Program> {
  const { dataDir, host, port, grpcPort, project = "demo-project" } = options;
  const { python, home } = await ensurePythonEnvironment();
  await mkdir(dataDir, { recursive: true });
  return {
    command: python,
    args: [
      ...[join(packageRootOf(__filename), "emulators", "python", "bigquery_emulator.py"), "start"],
      ...["--persistent", "--data-dir", dataDir, "--log-level", "warning", "--project", project],
      ...["--rest-host", host, "--rest-port", String(port), "--grpc-host", host, "--grpc-port", String(grpcPort)],
    ],
    // It reads a configuration file from the directory it is started in.
    cwd: dataDir,
    // Format extensions would be downloaded; HOME is where duckdb finds the one that is installed.
    env: { HOME: home, BQEMU_ENABLE_FORMAT_EXTENSIONS: "false", PYTHONUNBUFFERED: "1" },
  };
}

/**
 * Starts Google's Pub/Sub emulator.
 * @param options.logFile appended to.
 * @param options.port a free one when not given.
 * @param options.env added to its environment.
 * @throws Error when the emulator is not installed; NotReadyError when it does not come up.
 */
export async function startPubSubEmulator(options: {
  logFile: string;
  port?: number;
  env?: Readonly<Record<string, string>>;
}): Promise<PubSubEmulator> {
  const { logFile, env, port = await freePort() } = options;
  const program = await pubSubEmulatorProgram("127.0.0.1", port);
  await mkdir(dirname(logFile), { recursive: true });
  const child = await startChildProcess({ name: "Pub/Sub emulator", ...program, env: env ?? {}, logFile });
  const host = `127.0.0.1:${port}`;
  await awaitReady(child, () => answers(`http://${host}/`), READY_WITHIN_MS);
  return { host, process: child, stop: async () => void (await child.stop()) };
}

/**
 * Starts the BigQuery emulator; installs it first when it is absent.
 * @param options.dataDir made when absent; what is in it already is served.
 * @param options.logFile appended to.
 * @param options.port a free one when not given.
 * @param options.project for requests that name none.
 * @param options.env added to its environment.
 * @throws Error when it cannot be installed; NotReadyError when it does not come up.
 */
export async function startBigQueryEmulator(options: {
  dataDir: string;
  logFile: string;
  port?: number;
  project?: string;
  env?: Readonly<Record<string, string>>;
}): Promise<BigQueryEmulator> {
  const { dataDir, logFile, project } = options;
  const [freeRestPort, grpcPort] = (await freePorts(2)) as [number, number];
  const port = options.port ?? freeRestPort;
  const program = await bigQueryEmulatorProgram({ dataDir, host: "127.0.0.1", port, grpcPort, project });
  await mkdir(dirname(logFile), { recursive: true });
  const env = { ...options.env, ...program.env };
  const child = await startChildProcess({ name: "BigQuery emulator", ...program, env, logFile });
  const url = `http://127.0.0.1:${port}`;
  // Not /readyz: it queries in a thread of its own, which locks the emulator up for good when others query, too.
  await awaitReady(child, () => answers(`${url}/healthz`), READY_WITHIN_MS);
  return { url, grpcHost: `127.0.0.1:${grpcPort}`, process: child, stop: async () => void (await child.stop()) };
}
