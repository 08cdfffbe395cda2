import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { awaitReady } from "@eventlogger/process/readiness";

const READY_LIMIT_MS = 120_000;

/** Beam's local job service: the portable runner of the Python SDK, which starts workers as containers. */
export interface JobService {
  /** `localhost:PORT`. */
  readonly endpoint: string;
  /** The end of its log. */
  logTail(lines?: number): string;
  stop(): Promise<void>;
}

/**
 * Starts the job service on a free port.
 * @param options.python an interpreter with apache-beam
 * @param options.directory for its log and the files of its jobs
 * @param options.env added to its environment; `docker` is found by its PATH
 */
export async function startJobService(options: {
  python: string;
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
}): Promise<JobService> {
  const portFile = join(options.directory, "job-service.port");
  const args = ["--port", "0", "--port_file", portFile, "--staging_dir", join(options.directory, "staging")];
  const child = await startChildProcess({
    name: "Beam's local job service",
    command: options.python,
    args: ["-m", "apache_beam.runners.portability.local_job_service_main", ...args],
    env: options.env,
    logFile: join(options.directory, "job-service.log"),
  });
  const port = (): string => {
    try {
      return readFileSync(portFile, "utf8").trim();
    } catch {
      return "";
    }
  };
  await awaitReady(child, () => port() !== "", READY_LIMIT_MS);
  return {
    endpoint: `localhost:${port()}`,
    logTail: (lines) => child.logTail(lines),
    stop: async () => void (await child.stop()),
  };
}
