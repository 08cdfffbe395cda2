import path from "node:path";
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";

/** Options of {@link startExpansionService}. */
export interface ExpansionServiceOptions {
  /** Java classpath, from `ensureExpansionClasspath`. */
  readonly classpath: string;
  /** File to which the output of the service is appended. */
  readonly logFile: string;
  /** Maximum heap, as for `-Xmx`. @default "512m" */
  readonly heap?: string;
  /** Further arguments of the JVM. The last setting of a system property wins. */
  readonly jvmArgs?: readonly string[];
  /** Pipeline options for expansions and for the loopback worker, such as `--project=p`. */
  readonly args?: readonly string[];
  /**
   * Whether the service also runs the transforms that it expands, as a worker for runners on this machine. It must then run
   * as long as the job, because the expanded transforms refer to its port. @default false
   */
  readonly loopbackWorker?: boolean;
  /** Port on the loopback interface. Default: a free port. */
  readonly port?: number;
  /** Time limit of the start, ms. @default 60000 */
  readonly startTimeoutMs?: number;
}

/** A running expansion service. */
export interface ExpansionService {
  /** `localhost:PORT`; the service listens on the loopback interface only. */
  readonly address: string;
  readonly process: ChildProcess;
  /** Stops the service: SIGTERM, then SIGKILL after `graceMs` (default 5000). */
  stop(graceMs?: number): Promise<void>;
}

const LOGGING = path.join(packageRootOf(__filename), "expansion", "logging.properties");

const READY = /^Expansion service listens on (localhost:\d+)$/m;

/**
 * Starts Beam's Java expansion service and waits until it accepts requests.
 * @throws NotReadyError with the end of its log when it does not start
 */
export async function startExpansionService(options: ExpansionServiceOptions): Promise<ExpansionService> {
  const from = logLength(options.logFile);
  const child = await startChildProcess({
    name: "Java expansion service",
    command: "java",
    args: [
      `-Xmx${options.heap ?? "512m"}`,
      "-XX:+ExitOnOutOfMemoryError",
      `-Djava.util.logging.config.file=${LOGGING}`,
      // A service that only expands runs for seconds: the optimizing compiler would cost more than it saves.
      ...(options.loopbackWorker ? [] : ["-XX:TieredStopAtLevel=1"]),
      ...(options.jvmArgs ?? []),
      "-cp",
      options.classpath,
      "beam.typescript.LocalExpansionService",
      String(options.port ?? 0),
      ...(options.loopbackWorker ? ["--alsoStartLoopbackWorker"] : []),
      ...(options.args ?? []),
    ],
    logFile: options.logFile,
  });
  const ready = await awaitLogLine(child, READY, { from, timeoutMs: options.startTimeoutMs ?? 60_000 });
  return {
    address: ready[1] as string,
    process: child,
    stop: async (graceMs) => void (await child.stop(graceMs)),
  };
}
