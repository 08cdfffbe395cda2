import "@eventlogger/beam/sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { tableIn } from "../graph/pipelineGraph";

/** The properties of a Dataflow pipeline that must not change unnoticed; plain JSON. */
export interface PipelineDescription {
  /** Kinds of our own steps by name, with their state cells. */
  readonly steps: Readonly<Record<string, string>>;
  /** Names of the steps inside Java transforms. */
  readonly javaSteps: readonly string[];
  readonly read: unknown;
  /** URN and table of each write. */
  readonly writes: Readonly<Record<string, unknown>>;
  readonly environments: Readonly<Record<string, unknown>>;
  /** Windowing strategies of our collections, by the first step that emits one. */
  readonly windowing: Readonly<Record<string, unknown>>;
  readonly requirements: readonly string[];
  readonly nodeModules: readonly string[];
}

const BIGQUERY_WRITE_URN = "beam:transform:org.apache.beam:bigquery_write:v1";
const PUBSUB_READ_URN = "beam:transform:pubsub_read:v1";

/** Whether a step is inside a transform that Java expanded. */
const isJava = (name: string): boolean =>
  /^((ReadFromPubSub|ReadReplay)\/Source|\w+\/StorageWrite\/External)\//.test(name);

function coderName({ coders }: runnerApi.Components, id: string): string {
  const coder = coders[id];
  const parts = (coder?.componentCoderIds ?? []).map((part) => coderName({ coders } as runnerApi.Components, part));
  return (coder?.spec?.urn ?? "?") + (parts.length ? `<${parts.join(", ")}>` : "");
}

function stepKind(components: runnerApi.Components, { spec, subtransforms }: runnerApi.PTransform): string {
  if (subtransforms.length) return "composite";
  if (!spec) return "nothing";
  if (spec.urn !== "beam:transform:pardo:v1") return spec.urn;
  const { doFn, stateSpecs } = runnerApi.ParDoPayload.fromBinary(spec.payload);
  const states = Object.entries(stateSpecs).map(([name, state]) => {
    const coder = state.spec.oneofKind === "bagSpec" ? state.spec.bagSpec.elementCoderId : "?";
    return `${name}: ${state.spec.oneofKind} ${state.protocol?.urn} of ${coderName(components, coder)}`;
  });
  return [`${spec.urn} ${doFn?.urn}`, ...states].join("; ");
}

function environment({ urn, payload, dependencies, capabilities }: runnerApi.Environment): unknown {
  return {
    urn,
    image: runnerApi.DockerPayload.fromBinary(payload).containerImage,
    // The name contains the hash of the jar.
    staged: dependencies.map(({ rolePayload }) =>
      runnerApi.ArtifactStagingToRolePayload.fromBinary(rolePayload).stagedName.replace(/-[\w-]{43}\./, "-<hash>."),
    ),
    siblingWorkers: capabilities.includes("beam:protocol:sibling_workers:v1"),
  };
}

/** A windowing strategy with a readable window function and without ids of the proto. */
function windowing(components: runnerApi.Components, strategy: runnerApi.WindowingStrategy): unknown {
  const { windowFn, windowCoderId, environmentId, ...rest } = strategy;
  const plain = runnerApi.WindowingStrategy.toJson(runnerApi.WindowingStrategy.create(rest)) as object;
  return {
    windowFn: windowFn?.urn,
    windowFnPayload: Buffer.from(windowFn?.payload ?? []).toString("hex"),
    windowCoder: coderName(components, windowCoderId),
    environment: environmentId === "jsEnvironment" ? "typescript" : environmentId,
    ...plain,
  };
}

/** Describes a pipeline. @param nodeModules modules that workers load */
export function describePipeline(pipeline: runnerApi.Pipeline, nodeModules: readonly string[]): PipelineDescription {
  const components = pipeline.components as runnerApi.Components;
  const ourEnvironment = components.environments["jsEnvironment"] as runnerApi.Environment;
  const transforms = Object.values(components.transforms).sort((a, b) => (a.uniqueName < b.uniqueName ? -1 : 1));
  const ours = transforms.filter(({ uniqueName }) => !isJava(uniqueName));
  const windowings: Record<string, unknown> = {};
  const seen = new Set<string>();
  for (const { uniqueName, outputs } of ours) {
    for (const id of Object.values(outputs)) {
      const strategyId = components.pcollections[id]?.windowingStrategyId ?? "";
      const strategy = components.windowingStrategies[strategyId];
      if (seen.has(strategyId) || !strategy) continue;
      seen.add(strategyId);
      windowings[uniqueName] = windowing(components, strategy);
    }
  }
  return {
    steps: Object.fromEntries(ours.map((t) => [t.uniqueName, stepKind(components, t)])),
    javaSteps: transforms
      .filter(({ uniqueName, subtransforms }) => isJava(uniqueName) && !subtransforms.length)
      .map(({ uniqueName }) => uniqueName),
    read: transforms
      .filter(({ spec }) => spec?.urn === PUBSUB_READ_URN)
      .map(({ uniqueName, spec }) => ({
        step: uniqueName,
        urn: spec?.urn,
        payload: runnerApi.PubSubReadPayload.toJson(
          runnerApi.PubSubReadPayload.fromBinary(spec?.payload ?? new Uint8Array()),
        ),
      })),
    writes: Object.fromEntries(
      transforms
        .filter(({ spec }) => spec?.urn === BIGQUERY_WRITE_URN)
        .map(({ uniqueName, spec, annotations }) => [
          uniqueName,
          { urn: spec?.urn, table: tableIn(annotations["config_row"]) },
        ]),
    ),
    environments: {
      typescript: environment(ourEnvironment),
      capabilities: ourEnvironment.capabilities,
      others: Object.entries(components.environments)
        .filter(([id]) => id !== "jsEnvironment")
        .map(([, other]) => environment(other)),
    },
    windowing: windowings,
    requirements: [...pipeline.requirements].sort(),
    nodeModules: [...nodeModules].sort(),
  };
}
