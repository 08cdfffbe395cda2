import { mkdirSync, writeFileSync } from "node:fs";
import path = require("node:path");
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";

export interface JobServerOptions {
  /** Java classpath, from `ensureFlinkClasspath`. */
  readonly classpath: string;
  /** Folder for its configuration and artifacts. */
  readonly workDir: string;
  readonly logFile: string;
  /** `[local]`: Flink runs inside the job server; else `host:port` of a cluster's REST endpoint. @default "[local]" */
  readonly flinkMaster?: string;
  /** Maximum heap, as for `-Xmx`. @default "1500m" */
  readonly heap?: string;
  /** Checkpoint folder that jobs of this server start from. */
  readonly restoreFrom?: string;
  /** Further lines of `flink-conf.yaml`. */
  readonly flinkConfiguration?: Readonly<Record<string, string | number>>;
  /** Told the pid as soon as the process exists, long before it takes jobs. */
  readonly onSpawned?: (pid: number) => void;
  /** How long the start may take; ms. @default 60000 */
  readonly startTimeoutMs?: number;
}

export interface JobServer {
  /** `127.0.0.1:PORT` of the Beam job service. */
  readonly endpoint: string;
  readonly process: ChildProcess;
  stop(graceMs?: number): Promise<void>;
}

/** Packages that Flink and Beam look into by reflection, which Java 17 refuses without being told. */
const OPENED_PACKAGES = [
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
# two lines for each checkpoint
org.apache.flink.runtime.checkpoint.level=WARNING
`;

/**
 * Where an embedded Flink listens: by default its REST endpoint and its blob server accept connections on every network
 * interface. Its task manager opens no port. A cluster has its own configuration.
 */
const EMBEDDED_FLINK_ADDRESSES = {
  "rest.bind-address": "127.0.0.1",
  "jobmanager.bind-host": "127.0.0.1",
};

function writeConfiguration(options: JobServerOptions, flinkMaster: string): string {
  const confDir = path.join(options.workDir, "conf");
  mkdirSync(confDir, { recursive: true });
  const settings: Record<string, string | number> = {
    // The recorded checkpoint stays while a newer one is complete, but not recorded yet.
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

const EMBEDDED = "[local]";
const READY = /JobService started on [^\s:]+:(\d+)/;

/**
 * Starts Beam's Flink job server and waits until it takes jobs.
 * @throws Error with the end of its log when it does not start
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
    env: { FLINK_CONF_DIR: confDir },
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
