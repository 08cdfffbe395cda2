import "./sdk";
import { ChannelCredentials } from "@grpc/grpc-js";
import { GrpcTransport } from "@protobuf-ts/grpc-transport";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { PrepareJobRequest } from "apache-beam/proto/beam_job_api";
import { JobServiceClient } from "apache-beam/proto/beam_job_api.client";
import { Struct } from "apache-beam/proto/google/protobuf/struct";
import { Pipeline } from "apache-beam/internal/pipeline";
import { TYPESCRIPT_DEFAULT_ENVIRONMENT_URN } from "apache-beam/internal/environments";
import { Root, type PValue } from "apache-beam/pvalue";
import { ACCESS_TOKEN_HEADER } from "./accessToken";
import { workerCapabilities } from "./capabilities";
import { followJob, type Job } from "./job/handle";

/** Builds the proto of a pipeline without running it. Its environment declares what the workers of this library can do. */
export async function buildPipeline(
  build: (root: Root) => PValue<unknown> | Promise<PValue<unknown>>,
): Promise<runnerApi.Pipeline> {
  const pipeline = new Pipeline();
  await build(new Root(pipeline));
  const proto = pipeline.getProto();
  replaceDefaultEnvironment(proto, (environment) => ({ ...environment, capabilities: workerCapabilities() }));
  return proto;
}

/** A value of a pipeline option. */
export type JobOptionValue = string | number | boolean | readonly string[];

/**
 * Replaces the placeholder environment that the SDK gives its steps.
 * @param replace for example `(env) => asDockerEnvironment(env, image)`
 */
export function replaceDefaultEnvironment(
  pipeline: runnerApi.Pipeline,
  replace: (environment: runnerApi.Environment) => runnerApi.Environment,
): void {
  const environments = (pipeline.components as runnerApi.Components).environments;
  for (const [id, environment] of Object.entries(environments)) {
    if (environment.urn === TYPESCRIPT_DEFAULT_ENVIRONMENT_URN) environments[id] = replace(environment);
  }
}

/**
 * Submits a pipeline to a Beam job service.
 * @param jobEndpoint `host:port`
 * @param options pipeline options by their names in Python, such as `checkpointing_interval`
 * @param accessToken the token that the service demands; undefined: none
 * @throws RpcError of gRPC when the service cannot be reached or rejects the pipeline
 */
export async function runJob(
  jobEndpoint: string,
  pipeline: runnerApi.Pipeline,
  jobName: string,
  options: Readonly<Record<string, JobOptionValue>> = {},
  accessToken?: string,
): Promise<Job> {
  const transport = new GrpcTransport({
    host: jobEndpoint,
    channelCredentials: ChannelCredentials.createInsecure(),
    meta: accessToken === undefined ? {} : { [ACCESS_TOKEN_HEADER]: accessToken },
  });
  const client = new JobServiceClient(transport);
  const named = Object.entries({ job_name: jobName, ...options }).map(
    ([name, value]) => [`beam:option:${name}:v1`, typeof value === "object" ? [...value] : value] as const,
  );
  const request = PrepareJobRequest.create({
    pipeline,
    jobName,
    pipelineOptions: Struct.fromJson(Object.fromEntries(named)),
  });
  const { preparationId } = await client.prepare(request).response;
  const { jobId } = await client.run({ preparationId, retrievalToken: "" }).response;
  return followJob(client, jobId, () => transport.close());
}
