import "../sdk";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { flatten, impulse, P, withName, type PCollection, type Root } from "apache-beam";
import * as artifactApi from "apache-beam/proto/beam_artifact_api";
import { ExpansionRequest, ExpansionResponse } from "apache-beam/proto/beam_expansion_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { rawExternalTransform } from "apache-beam/transforms/external";
import * as grpc from "@grpc/grpc-js";
import { applyAsync, buildPipeline } from "../index";

/** A short form of the response of Beam's Java service: an impulse in an environment that needs one file. */
function expansionOf({ namespace, transform, components }: ExpansionRequest): ExpansionResponse {
  const environment = `${namespace}environment`;
  const windowing = `${namespace}WindowingStrategy(GlobalWindows)`;
  const output = `${namespace}output`;
  const coder = `${namespace}bytes`;
  const response = ExpansionResponse.create({
    components,
    transform: {
      // The id of the transform in the components of the response.
      uniqueName: `${namespace}${transform?.uniqueName.replace("/", "-")}`,
      spec: { urn: "beam:transform:impulse:v1" },
      outputs: { main: output },
      environmentId: environment,
    },
    requirements: ["beam:requirement:pardo:stateful:v1"],
  });
  const all = response.components as runnerApi.Components;
  all.environments[environment] = runnerApi.Environment.create({
    urn: "beam:env:docker:v1",
    payload: runnerApi.DockerPayload.toBinary({ containerImage: "java" }),
    dependencies: [
      {
        typeUrn: "beam:artifact:type:deferred:v1",
        typePayload: runnerApi.DeferredArtifactPayload.toBinary({ key: namespace, data: new Uint8Array() }),
        roleUrn: "beam:artifact:role:staging_to:v1",
        rolePayload: runnerApi.ArtifactStagingToRolePayload.toBinary({ stagedName: "file" }),
      },
    ],
  });
  all.windowingStrategies[windowing] = runnerApi.WindowingStrategy.create({
    ...Object.values(all.windowingStrategies)[0],
    closingBehavior: runnerApi.ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
    environmentId: environment,
  });
  all.coders[coder] = runnerApi.Coder.create({ spec: { urn: "beam:coder:bytes:v1" } });
  all.pcollections[output] = runnerApi.PCollection.create({
    uniqueName: output,
    coderId: coder,
    isBounded: runnerApi.IsBounded_Enum.BOUNDED,
    windowingStrategyId: windowing,
  });
  return response;
}

interface MessageType<T> {
  fromBinary(bytes: Uint8Array): T;
  toBinary(message: T): Uint8Array;
}

function method<I, O>(pathOf: string, input: MessageType<I>, output: MessageType<O>): grpc.MethodDefinition<I, O> {
  return {
    path: pathOf,
    requestStream: false,
    responseStream: pathOf.endsWith("/GetArtifact"),
    requestSerialize: (message) => Buffer.from(input.toBinary(message)),
    requestDeserialize: (bytes) => input.fromBinary(bytes),
    responseSerialize: (message) => Buffer.from(output.toBinary(message)),
    responseDeserialize: (bytes) => output.fromBinary(bytes),
  };
}

const EXPANSION = "/org.apache.beam.model.expansion.v1.ExpansionService";
const ARTIFACTS = "/org.apache.beam.model.job_management.v1.ArtifactRetrievalService";
const service = {
  expand: method(`${EXPANSION}/Expand`, ExpansionRequest, ExpansionResponse),
  resolve: method(
    `${ARTIFACTS}/ResolveArtifacts`,
    artifactApi.ResolveArtifactsRequest,
    artifactApi.ResolveArtifactsResponse,
  ),
  get: method(`${ARTIFACTS}/GetArtifact`, artifactApi.GetArtifactRequest, artifactApi.GetArtifactResponse),
};

const CONTENT = "needed by the workers";

/** Builds a pipeline with an expansion service that needs one local file. */
async function build(
  construct: (root: Root, expand: (name: string) => Promise<PCollection<Uint8Array>>) => Promise<PCollection<unknown>>,
): Promise<{ pipeline: runnerApi.Pipeline; file: string }> {
  const directory = mkdtempSync(path.join(tmpdir(), "expansion-"));
  const file = path.join(directory, "file");
  writeFileSync(file, CONTENT);
  const server = new grpc.Server();
  server.addService(service, {
    expand: (call: grpc.ServerUnaryCall<ExpansionRequest, ExpansionResponse>, callback: grpc.sendUnaryData<unknown>) =>
      callback(null, expansionOf(call.request)),
    resolve: (
      call: grpc.ServerUnaryCall<artifactApi.ResolveArtifactsRequest, unknown>,
      callback: grpc.sendUnaryData<unknown>,
    ) =>
      callback(null, {
        replacements: call.request.artifacts.map((artifact) => ({
          ...artifact,
          typeUrn: "beam:artifact:type:file:v1",
          typePayload: runnerApi.ArtifactFilePayload.toBinary({ path: file, sha256: "" }),
        })),
      }),
    get: (call: grpc.ServerWritableStream<artifactApi.GetArtifactRequest, artifactApi.GetArtifactResponse>) => {
      // The SDK does not wait until its copy is open.
      setTimeout(() => {
        call.write({ data: Buffer.from(CONTENT) });
        call.end();
      }, 300);
    },
  });
  try {
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    const pipeline = await buildPipeline((root) =>
      construct(root, (name) => {
        const external = rawExternalTransform<Root, PCollection<Uint8Array>>("x", {}, `127.0.0.1:${port}`);
        return applyAsync(
          root,
          withName(name, (input: Root) => input.applyAsync(withName("External", external))),
        );
      }),
    );
    return { pipeline, file };
  } finally {
    server.forceShutdown();
    rmSync(directory, { recursive: true });
  }
}

export const scenarios = {
  /** Two transforms of one service: names of steps, environments, requirements, and the location of their file. */
  twoTransforms: async () => {
    const { pipeline, file } = await build(async (_root, expand) => {
      await expand("First");
      return expand("Second");
    });
    const { transforms, environments } = pipeline.components as runnerApi.Components;
    const files = Object.values(environments)
      .flatMap(({ dependencies }) => dependencies)
      .map(({ typePayload }) => runnerApi.ArtifactFilePayload.fromBinary(typePayload));
    return {
      names: Object.values(transforms).map(({ uniqueName }) => uniqueName),
      environmentsInUse: new Set(Object.values(transforms).map(({ environmentId }) => environmentId)).size,
      environments: Object.keys(environments).length,
      requirements: pipeline.requirements,
      stay: files.every(({ path: name }) => name === file),
      hashed: files.every(({ sha256 }) => sha256 === createHash("sha256").update(CONTENT).digest("hex")),
    };
  },

  /** Flattens a collection of the service with one of the pipeline: the number of windowing strategies. */
  flattened: async () => {
    const { pipeline } = await build(async (root, expand) => {
      const theirs = await expand("Theirs");
      const ours = root.apply(withName("Ours", impulse()));
      return P([theirs, ours]).apply(withName("Both", flatten<Uint8Array>()));
    });
    return new Set(Object.values(pipeline.components?.pcollections ?? {}).map((p) => p.windowingStrategyId)).size;
  },
};
