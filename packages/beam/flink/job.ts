import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { asExternalEnvironment, TYPESCRIPT_DEFAULT_ENVIRONMENT_URN } from "apache-beam/internal/environments";
import { ExternalPayload, IsBounded_Enum, type Environment } from "apache-beam/proto/beam_runner_api";
import { ACCESS_TOKEN_PARAMETER } from "../accessToken";
import { useExternalAlternatives } from "../expansion/environments";
import { MAX_PARALLELISM } from "./keyGroups";
import { fileUri } from "./stateBackend";
import { replaceDefaultEnvironment, runJob, type JobOptionValue } from "../job";
import type { Job } from "../job/handle";

/** Options of the Flink runner; the names are those of Beam's `FlinkPipelineOptions`. */
export interface FlinkJobOptions {
  readonly jobName: string;
  /**
   * Number of parallel instances of each operator, and of workers; 1 to {@link MAX_PARALLELISM}. A job can resume with another
   * parallelism than it had. @default 1
   */
  readonly parallelism?: number;
  /** Time between checkpoints, ms. Default: no checkpoints. */
  readonly checkpointingInterval?: number;
  /** Time after which a checkpoint that is not complete fails the job attempt, ms. Default: {@link checkpointTimeoutMs}. */
  readonly checkpointTimeout?: number;
  /**
   * Whether Flink copies neither elements between operators nor values of state. Not safe with the state backend `heap`: Beam
   * changes the counts of triggers in place, also while Flink writes a checkpoint of them. @default false; `runOnFlink`
   * sets it with RocksDB
   */
  readonly fasterCopy?: boolean;
  /** Folder of the checkpoint or savepoint from which a job on a cluster resumes; absolute. */
  readonly savepointPath?: string | undefined;
  /** Maximum number of elements in a bundle. @default 5000 */
  readonly maxBundleSize?: number;
  /** Maximum time that a bundle stays open, ms. @default 500 */
  readonly maxBundleTimeMills?: number;
}

/** Longer than the retries of a sink within one bundle, ms: a service that is away must not end the attempt first. */
const MIN_CHECKPOINT_TIMEOUT_MS = 180_000;

/**
 * Time that a checkpoint may take, ms. A checkpoint waits for the bundles of all steps, so that a slow machine or service
 * delays it; but no checkpoint takes many intervals unless a step hangs. Flink's own default is 10 minutes.
 */
export function checkpointTimeoutMs(checkpointingIntervalMs: number): number {
  return Math.max(MIN_CHECKPOINT_TIMEOUT_MS, 20 * checkpointingIntervalMs);
}

/** Time between a failure of a job with checkpoints and its restart, ms. Flink's own default grows to a minute. */
const RESTART_DELAY_MS = 1000;

/** Java's `Integer.MAX_VALUE`. */
const UNLIMITED_RESTARTS = 2 ** 31 - 1;

/** Java's `Long.MAX_VALUE`. As text, because a number of JSON cannot hold it. */
const NEVER = "9223372036854775807";

function checkpointing(interval: number, timeout = checkpointTimeoutMs(interval)): Record<string, JobOptionValue> {
  return {
    checkpointing_interval: interval,
    checkpoint_timeout_millis: timeout,
    // Both are needed. Without them, Flink deletes the checkpoints of a job that is cancelled or fails for good.
    externalized_checkpoints_enabled: true,
    retain_externalized_checkpoints_on_cancellation: true,
    number_of_execution_retries: UNLIMITED_RESTARTS,
    execution_retry_delay: RESTART_DELAY_MS,
  };
}

/** Whether a pipeline has an unbounded source. */
function isUnbounded(pipeline: runnerApi.Pipeline): boolean {
  const { pcollections } = pipeline.components as runnerApi.Components;
  return Object.values(pcollections).some((collection) => collection.isBounded === IsBounded_Enum.UNBOUNDED);
}

function pipelineOptions(pipeline: runnerApi.Pipeline, options: FlinkJobOptions): Record<string, JobOptionValue> {
  return {
    // Without it, a bundle of a job with unbounded sources ends only at a checkpoint, whatever its limits are, and a job cannot
    // be restored with another parallelism. With it, a job that has only bounded sources would run as a stream.
    streaming: isUnbounded(pipeline),
    parallelism: options.parallelism ?? 1,
    max_parallelism: MAX_PARALLELISM,
    // Without it, the output of the first bundle may stay buffered, and a source never starts to read.
    finish_bundle_before_checkpointing: true,
    faster_copy: options.fasterCopy ?? false,
    max_bundle_size: options.maxBundleSize ?? 5000,
    max_bundle_time_mills: options.maxBundleTimeMills ?? 500,
    // An idle source that finishes ends the job's checkpoints, and the delays between the reads of a splittable DoFn. It is
    // the default only for jobs with checkpoints.
    shutdown_sources_after_idle_ms: NEVER,
    ...(options.checkpointingInterval ? checkpointing(options.checkpointingInterval, options.checkpointTimeout) : {}),
    ...(options.savepointPath ? { savepoint_path: fileUri(options.savepointPath) } : {}),
  };
}

/** Whether workers of this SDK run every step. Workers of other languages cannot send an access token. */
export function runsOnlyOnThisSdk(pipeline: runnerApi.Pipeline): boolean {
  const { environments } = pipeline.components as runnerApi.Components;
  return Object.values(environments).every(({ urn }) => urn === TYPESCRIPT_DEFAULT_ENVIRONMENT_URN);
}

/** The worker pool of a job. */
export interface JobPool {
  /** `host:port` */
  readonly address: string;
  /** The token that the pool demands; undefined: none. */
  readonly accessToken: string | undefined;
  /** See `encodeStartParameters`. */
  readonly parameters: Readonly<Record<string, string>>;
}

function poolEnvironment(environment: Environment, { address, accessToken, parameters }: JobPool): Environment {
  const external = asExternalEnvironment(environment, address);
  const payload = ExternalPayload.fromBinary(external.payload);
  Object.assign(payload.params, parameters);
  if (accessToken !== undefined) payload.params[ACCESS_TOKEN_PARAMETER] = accessToken;
  return { ...external, payload: ExternalPayload.toBinary(payload) };
}

/**
 * Submits a pipeline to a Flink job server. The worker pool runs the steps of this SDK. Transforms of other languages are
 * run by the expansion service that expanded them: it must have a loopback worker, and must run as long as the job.
 * @param jobEndpoint `host:port` of the job server
 * @param accessToken the token that the job server demands; undefined: none
 */
export async function submitJob(
  jobEndpoint: string,
  pool: JobPool,
  pipeline: runnerApi.Pipeline,
  options: FlinkJobOptions,
  accessToken?: string,
): Promise<Job> {
  replaceDefaultEnvironment(pipeline, (environment) => poolEnvironment(environment, pool));
  useExternalAlternatives(pipeline);
  return runJob(jobEndpoint, pipeline, options.jobName, pipelineOptions(pipeline, options), accessToken);
}
