import { mkdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { startChildProcess, type ChildProcess } from "../pipeline/beam/process/childProcess";
import { packageRoot } from "../config/packageRoot";
import { freePort, freePorts } from "./ports";
import { pubSubEmulatorPatch } from "./pubsubEmulatorPatch";
import { ensurePythonEnvironment } from "./python/environment";
import { answers, awaitReady } from "./readiness";
import { findPubSubEmulatorJar, javaCommand } from "./toolchain";

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

/**
 * Starts Google's Pub/Sub emulator. It keeps everything in memory.
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
  const jar = await findPubSubEmulatorJar();
  if (!jar) {
    throw new Error("Google's Pub/Sub emulator is not installed: gcloud components install pubsub-emulator");
  }
  const port = options.port ?? (await freePort());
  await mkdir(dirname(options.logFile), { recursive: true });
  const child = await startChildProcess({
    name: "Pub/Sub emulator",
    command: javaCommand(),
    // Not through gcloud: that puts a Python process in between. The heap grows to what it may, so it is capped.
    args: [
      "-Xmx1g",
      "-cp",
      [...(await pubSubEmulatorPatch(jar)), jar].join(delimiter),
      "com.google.cloud.pubsub.testing.v1.Main",
      "--host=127.0.0.1",
      `--port=${port}`,
    ],
    env: options.env,
    logFile: options.logFile,
  });
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
  const { python, home } = await ensurePythonEnvironment();
  const [restPort, grpcPort] = (await freePorts(2)) as [number, number];
  const port = options.port ?? restPort;
  await mkdir(options.dataDir, { recursive: true });
  await mkdir(dirname(options.logFile), { recursive: true });
  const args = ["start", "--persistent", "--data-dir", options.dataDir, "--log-level", "warning"];
  args.push("--project", options.project ?? "demo-project");
  args.push("--rest-port", String(port), "--grpc-port", String(grpcPort));
  const child = await startChildProcess({
    name: "BigQuery emulator",
    command: python,
    args: [join(packageRoot, "local", "python", "bigquery_emulator.py"), ...args],
    // It reads a configuration file from the directory it is started in.
    cwd: options.dataDir,
    // Format extensions would be downloaded; HOME is where duckdb finds the one that is installed.
    env: { ...options.env, HOME: home, BQEMU_ENABLE_FORMAT_EXTENSIONS: "false", PYTHONUNBUFFERED: "1" },
    logFile: options.logFile,
  });
  const url = `http://127.0.0.1:${port}`;
  await awaitReady(child, () => answers(`${url}/readyz`), READY_WITHIN_MS);
  return { url, grpcHost: `127.0.0.1:${grpcPort}`, process: child, stop: async () => void (await child.stop()) };
}
