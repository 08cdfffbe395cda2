import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { asExternalEnvironment } from "apache-beam/internal/environments";
import { useExternalAlternatives } from "../expansion/environments";
import { replaceDefaultEnvironment, runJob, type Job, type JobOptionValue } from "../job";

/** Options of the Flink runner, by their names in Beam's `FlinkPipelineOptions`. */
export interface FlinkJobOptions {
  readonly jobName: string;
  readonly parallelism?: number;
  /** ms between checkpoints; without it there are none. */
  readonly checkpointingInterval?: number;
  /** Folder for checkpoints. */
  readonly checkpointDir?: string;
  /** Elements in a bundle, at most. @default 5000 */
  readonly maxBundleSize?: number;
  /** ms that a bundle stays open, at most. @default 500 */
  readonly maxBundleTimeMills?: number;
}

function pipelineOptions(options: FlinkJobOptions): Record<string, JobOptionValue> {
  return {
    parallelism: options.parallelism ?? 1,
    // Else the output of the bundle after an impulse may stay buffered, and the job never reads.
    finish_bundle_before_checkpointing: true,
    max_bundle_size: options.maxBundleSize ?? 5000,
    max_bundle_time_mills: options.maxBundleTimeMills ?? 500,
    // Else sources that are idle end, and checkpoints with them.
    shutdown_sources_after_idle_ms: 1_000_000_000,
    retain_externalized_checkpoints_on_cancellation: true,
    ...(options.checkpointingInterval ? { checkpointing_interval: options.checkpointingInterval } : {}),
    ...(options.checkpointDir
      ? { state_backend: "filesystem", state_backend_storage_path: `file://${options.checkpointDir}` }
      : {}),
  };
}

/**
 * Submits a pipeline to a Flink job server. Its own work is done by a worker pool, that of transforms of other languages
 * by the expansion service that expanded them, which must have been started with a loopback worker and go on.
 */
export async function submitJob(
  jobEndpoint: string,
  poolAddress: string,
  pipeline: runnerApi.Pipeline,
  options: FlinkJobOptions,
): Promise<Job> {
  replaceDefaultEnvironment(pipeline, (environment) => asExternalEnvironment(environment, poolAddress));
  useExternalAlternatives(pipeline);
  return runJob(jobEndpoint, pipeline, options.jobName, pipelineOptions(options));
}
