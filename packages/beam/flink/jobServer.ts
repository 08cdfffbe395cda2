import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { ACCESS_TOKEN_FILE_VARIABLE, ACCESS_TOKEN_VARIABLE } from "../accessToken";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import {
  checkpointSettings,
  fileUri,
  stateBackendSettings,
  type FlinkSetting,
  type StateBackend,
} from "./stateBackend";

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
  /** Where jobs of this server keep state. @default "heap" */
  readonly stateBackend?: StateBackend;
  /** Folder for checkpoints; absolute. Default: Flink keeps checkpoints of at most 5 MiB in memory. */
  readonly checkpointDir?: string;
  /** Folder of the checkpoint from which jobs of this server resume; absolute. It is only read. */
  readonly restoreFrom?: string | undefined;
  /**
   * Memory of embedded Flink outside the heap, as `512m`, which all steps share: for the caches and write buffers of RocksDB, and
   * for sorting in jobs without an unbounded source. @default "512m" with RocksDB, "128m" otherwise
   */
  readonly managedMemory?: string;
  /**
   * Further settings of Flink. They have priority. Embedded Flink uses all of them, a cluster those of the job:
   * https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/deployment/config/
   */
  readonly flinkConfiguration?: Readonly<Record<string, FlinkSetting>>;
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
  "java.util.concurrent.locks",
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

/** Settings of embedded Flink. A cluster has its own configuration. */
function embeddedSettings(options: JobServerOptions): Record<string, FlinkSetting> {
  const temporary = path.join(options.workDir, "tmp");
  // A process that was killed leaves its working copy of the state there.
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  return {
    // By default, the REST endpoint and the blob server listen on every network interface. The task manager opens no port.
    "rest.bind-address": "127.0.0.1",
    "jobmanager.bind-host": "127.0.0.1",
    // RocksDB's files, which contain personal data, and its native library. By default in the machine's temporary folder.
    "io.tmp.dirs": temporary,
    // By default, Beam reserves as much as a part of the free heap.
    "taskmanager.memory.managed.size": options.managedMemory ?? (options.stateBackend === "rocksdb" ? "512m" : "128m"),
    "taskmanager.memory.network.min": NETWORK_MEMORY,
    "taskmanager.memory.network.max": NETWORK_MEMORY,
  };
}

/** Writes Flink's configuration. @returns its folder, in the work directory */
export function writeConfiguration(options: JobServerOptions): string {
  const { flinkMaster = EMBEDDED } = options;
  const confDir = path.join(options.workDir, "conf");
  rmSync(confDir, { recursive: true, force: true });
  mkdirSync(confDir, { recursive: true });
  const settings: Record<string, FlinkSetting> = {
    // Keeps the recorded checkpoint while a newer one is complete but not yet recorded.
    "state.checkpoints.num-retained": 2,
    "execution.job-listeners": "beam.typescript.CancelInterruptedJobs",
    ...(flinkMaster === EMBEDDED ? embeddedSettings(options) : {}),
    ...stateBackendSettings(options.stateBackend ?? "heap"),
    ...(options.checkpointDir !== undefined && checkpointSettings(options.checkpointDir)),
    ...options.flinkConfiguration,
  };
  if (options.restoreFrom !== undefined) {
    settings["execution.savepoint.path"] = fileUri(options.restoreFrom);
    // The first checkpoint contains the whole state, so that later ones never need a file of the checkpoint that is restored.
    settings["execution.savepoint-restore-mode"] = "NO_CLAIM";
  }
  // Texts in JSON are texts in YAML.
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  writeFileSync(path.join(confDir, "config.yaml"), lines.join(""));
  writeFileSync(path.join(confDir, "logging.properties"), LOGGING_PROPERTIES);
  return confDir;
}

/** Arguments of `java` for a process that runs Flink. @param confDir from {@link writeConfiguration} */
export function javaArguments({ heap, classpath }: JobServerOptions, confDir: string): string[] {
  return [
    `-Xmx${heap ?? "1500m"}`,
    "-XX:+ExitOnOutOfMemoryError",
    `-Djava.util.logging.config.file=${path.join(confDir, "logging.properties")}`,
    ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    "-cp",
    classpath,
  ];
}

/** Memory of embedded Flink for data between its tasks. */
const NETWORK_MEMORY = "64m";

/** The Flink master that runs inside the job server. */
export const EMBEDDED = "[local]";
const READY = /JobService started on [^\s:]+:(\d+)/;

/**
 * Starts Beam's Flink job server and waits until it accepts jobs.
 * @throws NotReadyError with the end of its log when it does not start
 */
export async function startJobServer(options: JobServerOptions): Promise<JobServer> {
  const { flinkMaster = EMBEDDED } = options;
  const confDir = writeConfiguration(options);
  const from = logLength(options.logFile);
  const child = await startChildProcess({
    name: "Flink job server",
    command: "java",
    args: [
      ...javaArguments(options, confDir),
      "org.apache.beam.runners.flink.FlinkJobServerDriver",
      `--flink-master=${flinkMaster}`,
      // Not NAME=PATH: the driver would split it at a space in the path.
      "--flink-conf-dir",
      confDir,
      "--job-host=127.0.0.1",
      "--job-port=0",
      "--artifact-port=0",
      // No expansion service: pipelines expand their transforms before they are submitted.
      "--expansion-port=-1",
      "--artifacts-dir",
      path.join(options.workDir, "artifacts"),
    ],
    env: {
      FLINK_CONF_DIR: confDir,
      // They are meant for the TaskManagers of a cluster.
      [ACCESS_TOKEN_FILE_VARIABLE]: undefined,
      BEAM_WORKER_POOL: undefined,
      // RocksDB frees memory on other threads than it gets it. With an arena for each thread, glibc keeps most of it.
      MALLOC_ARENA_MAX: "2",
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
