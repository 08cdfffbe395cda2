import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TableTarget } from "@eventlogger/pipeline/io/bigquery/writeRows";
import type { BoundedPipeline } from "./boundedPipeline";
import type { JobService } from "./jobService";

const TIMEOUT_MS = 180_000;

/**
 * Runs the bounded pipeline, launched by a separate process, until it has finished.
 * @throws Error with the end of the job service's log
 */
export async function launchBounded(options: {
  jobService: JobService;
  image: string;
  target: TableTarget;
  events: number;
}): Promise<Pick<BoundedPipeline, "messages" | "expected">> {
  const { jobService, image, target, events } = options;
  const args = [
    `--job-endpoint=${jobService.endpoint}`,
    `--image=${image}`,
    `--project=${target.project}`,
    `--dataset=${target.dataset}`,
    `--bigquery=${target.endpoint}`,
    `--events=${events}`,
  ];
  try {
    const script = join(__dirname, "runBounded.js");
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], { timeout: TIMEOUT_MS });
    return JSON.parse(stdout) as Pick<BoundedPipeline, "messages" | "expected">;
  } catch (error) {
    throw new Error(`${String(error)}\nThe job service:\n${jobService.logTail(60)}`, { cause: error });
  }
}
