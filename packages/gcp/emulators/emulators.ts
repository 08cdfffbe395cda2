import { mkdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort, freePorts } from "@eventlogger/process/ports";
import { pubSubEmulatorPatch } from "./pubsubEmulatorPatch";
import { ensurePythonEnvironment } from "./python/environment";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { javaCommand } from "./javaCommand";
import { findPubSubEmulatorJar } from "./pubsubEmulatorJar";

const READY_WITHIN_MS = 60_000;

export interface Emulator {
  readonly process: ChildProcess;
  /** Stops the process and its children; safe to repeat. */
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

/** A program with its arguments, working directory and environment. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The command of Google's Pub/Sub emulator, which keeps everything in memory.
 * @throws Error when it is not installed
 */
export async function pubSubEmulatorProgram(host: string, port: number): Promise<Program> {
  const jar = await findPubSubEmulatorJar();
  if (!jar) {
    throw new Error(
      "Google's Pub/Sub emulator is not installed. Install it: gcloud components install pubsub-emulator",
    );
  }
  const classpath = [...(await pubSubEmulatorPatch(jar)), jar].join(delimiter);
  const main = "com.google.cloud.pubsub.testing.v1.Main";
  // Not through gcloud, which would add a Python process. The heap is capped, because it grows to its limit.
  return { command: javaCommand(), args: ["-Xmx1g", "-cp", classpath, main, `--host=${host}`, `--port=${port}`] };
}

/**
 * The command of the BigQuery emulator. Installs the emulator if necessary.
 * @param options.dataDir created if necessary; existing tables in it are served
 * @param options.port port of the REST API
 * @param options.grpcPort port of the Storage API
 * @param options.project project of requests without one. @default "demo-project"
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
    // The emulator reads a configuration file from its working directory.
    cwd: dataDir,
    // Prevents the download of format extensions. DuckDB finds the installed extension under HOME.
    env: { HOME: home, BQEMU_ENABLE_FORMAT_EXTENSIONS: "false", PYTHONUNBUFFERED: "1" },
  };
}

/**
 * Starts Google's Pub/Sub emulator.
 * @param options.logFile output is appended to this file
 * @param options.port undefined: a free port
 * @param options.env added to the environment of the emulator
 * @throws Error when the emulator is not installed; NotReadyError when it does not start
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
 * Starts the BigQuery emulator. Installs the emulator if necessary.
 * @param options.dataDir created if necessary; existing tables in it are served
 * @param options.logFile output is appended to this file
 * @param options.port undefined: a free port
 * @param options.project project of requests without one
 * @param options.env added to the environment of the emulator
 * @throws Error when it cannot be installed; NotReadyError when it does not start
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
  // Not /readyz: its query runs in a separate thread, which deadlocks the emulator when other queries run.
  await awaitReady(child, () => answers(`${url}/healthz`), READY_WITHIN_MS);
  return { url, grpcHost: `127.0.0.1:${grpcPort}`, process: child, stop: async () => void (await child.stop()) };
}
