import path = require("node:path");
import { awaitLogLine, logLength } from "@eventlogger/process/readiness";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";

export interface ExpansionServiceOptions {
  /** Java classpath, from `ensureExpansionClasspath`. */
  readonly classpath: string;
  /** File that its output is appended to. */
  readonly logFile: string;
  /** Maximum heap, as for `-Xmx`. @default "512m" */
  readonly heap?: string;
  /** Further arguments of the JVM; of two settings of a system property the last one counts. */
  readonly jvmArgs?: readonly string[];
  /** Pipeline options for what is expanded and for the loopback worker, such as `--project=p`. */
  readonly args?: readonly string[];
  /**
   * Whether the service also runs what it expanded, as a worker for runners on this machine. It then must live as long as
   * the job, and the environments it names point to its port. @default false
   */
  readonly loopbackWorker?: boolean;
  /** @default a free one */
  readonly port?: number;
  /** How long the start may take; ms. @default 60000 */
  readonly startTimeoutMs?: number;
}

export interface ExpansionService {
  /** `localhost:PORT`; it listens on the loopback interface alone. */
  readonly address: string;
  readonly process: ChildProcess;
  stop(graceMs?: number): Promise<void>;
}

const LOGGING = path.join(packageRootOf(__filename), "expansion", "logging.properties");

const READY = /^Expansion service listens on (localhost:\d+)$/m;

/**
 * Starts Beam's Java expansion service and waits until it takes requests.
 * @throws Error with the end of its log when it does not start
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
      // A service that only expands lives for seconds: not worth optimising code for.
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
