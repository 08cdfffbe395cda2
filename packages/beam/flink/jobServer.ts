import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { ACCESS_TOKEN_FILE_VARIABLE, ACCESS_TOKEN_VARIABLE } from "../accessToken";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";

/** Options of {@link startJobServer}. */
export interface JobServerOptions {
  /** Java classpath, from `ensureFlinkClasspath`. */
  readonly classpath: string;
  /** Folder for configuration and artifacts. */
  readonly workDir: string;
  /** File to which the output of the server is appended. */
  readonly logFile: string;
  /** `[local]` runs Flink inside the job server; otherwise `host:port` of the REST endpoint of a cluster. @default "[local]" */
  readonly flinkMaster?: string;
  /** Token that each call must carry; undefined: none is needed. Flink's own REST endpoint does not check it. */
  readonly accessToken?: string | undefined;
  /** Maximum heap, as for `-Xmx`. @default "1500m" */
  readonly heap?: string;
  /** Folder of the checkpoint from which jobs of this server resume. */
  readonly restoreFrom?: string | undefined;
  /** Further settings for `flink-conf.yaml`. */
  readonly flinkConfiguration?: Readonly<Record<string, string | number>>;
  /** Receives the pid as soon as the process exists, before it accepts jobs. */
  readonly onSpawned?: (pid: number) => void;
  /** Time limit of the start, ms. @default 60000 */
  readonly startTimeoutMs?: number;
}

/** A running Flink job server. */
export interface JobServer {
  /** `127.0.0.1:PORT` of the Beam job service. */
  readonly endpoint: string;
  readonly process: ChildProcess;
  /** Stops the server: SIGTERM, then SIGKILL after `graceMs` (default 5000). */
  stop(graceMs?: number): Promise<void>;
}

/** Packages that Flink and Beam access by reflection. Java 17 requires that they are opened explicitly. */
export const OPENED_PACKAGES = [
  "java.lang",
  "java.util",
  "java.time",
  "java.lang.reflect",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "java.net",
  "java.io",
  "java.text",
  "java.nio",
  "sun.nio.ch",
];

const LOGGING_PROPERTIES = `handlers=java.util.logging.ConsoleHandler
.level=INFO
java.util.logging.SimpleFormatter.format=%1$tFT%1$tT.%1$tL %4$s %3$s: %5$s%6$s%n
java.util.logging.ConsoleHandler.level=INFO
java.util.logging.ConsoleHandler.formatter=java.util.logging.SimpleFormatter
# otherwise two lines for each checkpoint
org.apache.flink.runtime.checkpoint.level=WARNING
`;

/**
 * Binds the REST endpoint and the blob server of an embedded Flink to the loopback interface; by default they listen on
 * every network interface. Its task manager opens no port. A cluster has its own configuration.
 */
const EMBEDDED_FLINK_ADDRESSES = {
  "rest.bind-address": "127.0.0.1",
  "jobmanager.bind-host": "127.0.0.1",
};

function writeConfiguration(options: JobServerOptions, flinkMaster: string): string {
  const confDir = path.join(options.workDir, "conf");
  mkdirSync(confDir, { recursive: true });
  const settings: Record<string, string | number> = {
    // Keeps the recorded checkpoint while a newer one is complete but not yet recorded.
    "state.checkpoints.num-retained": 2,
    ...(flinkMaster === EMBEDDED ? EMBEDDED_FLINK_ADDRESSES : {}),
    ...options.flinkConfiguration,
  };
  if (options.restoreFrom) settings["execution.savepoint.path"] = `file://${options.restoreFrom}`;
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(path.join(confDir, "flink-conf.yaml"), lines.join(""));
  writeFileSync(path.join(confDir, "logging.properties"), LOGGING_PROPERTIES);
  return confDir;
}

/** The Flink master that runs inside the job server. */
export const EMBEDDED = "[local]";
const READY = /JobService started on [^\s:]+:(\d+)/;

/**
 * Starts Beam's Flink job server and waits until it accepts jobs.
 * @throws NotReadyError with the end of its log when it does not start
 */
export async function startJobServer(options: JobServerOptions): Promise<JobServer> {
  const { flinkMaster = EMBEDDED } = options;
  const confDir = writeConfiguration(options, flinkMaster);
  const from = logLength(options.logFile);
  const child = await startChildProcess({
    name: "Flink job server",
    command: "java",
    args: [
      `-Xmx${options.heap ?? "1500m"}`,
      "-XX:+ExitOnOutOfMemoryError",
      `-Djava.util.logging.config.file=${path.join(confDir, "logging.properties")}`,
      ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      "-cp",
      options.classpath,
      "org.apache.beam.runners.flink.FlinkJobServerDriver",
      `--flink-master=${flinkMaster}`,
      `--flink-conf-dir=${confDir}`,
      "--job-host=127.0.0.1",
      "--job-port=0",
      "--artifact-port=0",
      // No expansion service: pipelines expand their transforms before they are submitted.
      "--expansion-port=-1",
      `--artifacts-dir=${path.join(options.workDir, "artifacts")}`,
    ],
    env: {
      FLINK_CONF_DIR: confDir,
      // They are meant for the TaskManagers of a cluster.
      [ACCESS_TOKEN_FILE_VARIABLE]: undefined,
      BEAM_WORKER_POOL: undefined,
      ...(options.accessToken !== undefined && { [ACCESS_TOKEN_VARIABLE]: options.accessToken }),
    },
    logFile: options.logFile,
  });
  options.onSpawned?.(child.pid);
  const ready = await awaitLogLine(child, READY, { from, timeoutMs: options.startTimeoutMs ?? 60_000 });
  return {
    endpoint: `127.0.0.1:${ready[1] as string}`,
    process: child,
    stop: async (graceMs) => void (await child.stop(graceMs)),
  };
}
