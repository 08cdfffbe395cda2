import "../sdk";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { JobMessage_MessageImportance, JobState_Enum, PrepareJobRequest } from "apache-beam/proto/beam_job_api";
import { JobServiceClient } from "apache-beam/proto/beam_job_api.client";
import { Struct } from "apache-beam/proto/google/protobuf/struct";
import { Pipeline } from "apache-beam/internal/pipeline";
import { asExternalEnvironment, TYPESCRIPT_DEFAULT_ENVIRONMENT_URN } from "apache-beam/internal/environments";
import { Root, type PValue } from "apache-beam/pvalue";

/** A job ended in another state than DONE; the message carries what the runner said. */
export class JobFailedError extends Error {
  constructor(
    readonly state: string,
    readonly runnerMessages: readonly string[],
  ) {
    super(`The job ended as ${state}${runnerMessages.length ? `:\n${runnerMessages.join("\n")}` : ""}`);
    this.name = "JobFailedError";
  }
}

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

/** Builds the pipeline proto without running it. */
export async function buildPipeline(
  build: (root: Root) => PValue<unknown> | Promise<PValue<unknown>>,
): Promise<runnerApi.Pipeline> {
  const pipeline = new Pipeline();
  await build(new Root(pipeline));
  return pipeline.getProto();
}

/** Points the SDK's default environment to a worker pool. */
function useWorkerPool(pipeline: runnerApi.Pipeline, poolAddress: string): void {
  const environments = (pipeline.components as runnerApi.Components).environments;
  for (const [id, environment] of Object.entries(environments)) {
    if (environment.urn === TYPESCRIPT_DEFAULT_ENVIRONMENT_URN) {
      environments[id] = asExternalEnvironment(environment, poolAddress);
    }
  }
}

function pipelineOptions(options: FlinkJobOptions): Struct {
  const entries: Record<string, string | number | boolean> = {
    job_name: options.jobName,
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
  return Struct.fromJson(
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [`beam:option:${name}:v1`, value])),
  );
}

const TERMINAL = new Set([JobState_Enum.DONE, JobState_Enum.FAILED, JobState_Enum.CANCELLED, JobState_Enum.DRAINED]);
const POLL_MS = 250;

/** A job under way. */
export interface Job {
  readonly id: string;
  /** Resolves when the job is DONE, rejects with a {@link JobFailedError} when it ends otherwise. */
  readonly finished: Promise<void>;
  /** `RUNNING`, `DONE`, … */
  state(): Promise<string>;
}

/** Submits a pipeline to a Beam job service, its work to be done by a worker pool. */
export async function submitJob(
  jobEndpoint: string,
  poolAddress: string,
  pipeline: runnerApi.Pipeline,
  options: FlinkJobOptions,
): Promise<Job> {
  useWorkerPool(pipeline, poolAddress);
  const client = new JobServiceClient(
    new GrpcTransport({ host: jobEndpoint, channelCredentials: ChannelCredentials.createInsecure() }),
  );
  const request = PrepareJobRequest.create({
    pipeline,
    jobName: options.jobName,
    pipelineOptions: pipelineOptions(options),
  });
  const { preparationId } = await client.prepare(request).response;
  const { jobId } = await client.run({ preparationId, retrievalToken: "" }).response;
  const errors: string[] = [];
  const messages = (async () => {
    for await (const { response } of client.getMessageStream({ jobId }).responses) {
      if (response.oneofKind !== "messageResponse") continue;
      const { importance, messageText } = response.messageResponse;
      if (importance >= JobMessage_MessageImportance.JOB_MESSAGE_ERROR) errors.push(messageText);
    }
  })().catch(() => {}); // the stream ends with the job server
  const state = async (): Promise<JobState_Enum> => (await client.getState({ jobId }).response).state;
  const finished = (async () => {
    let current = await state();
    while (!TERMINAL.has(current)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      current = await state();
    }
    await Promise.race([messages, new Promise((resolve) => setTimeout(resolve, 1000))]);
    if (current !== JobState_Enum.DONE) throw new JobFailedError(JobState_Enum[current], errors);
  })();
  finished.catch(() => {}); // whoever cares awaits it
  return { id: jobId, finished, state: async () => JobState_Enum[await state()] };
}
