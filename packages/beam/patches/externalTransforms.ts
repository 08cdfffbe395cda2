/**
 * Patches how the SDK uses the response of an expansion service:
 * - The transform is named after the namespace of its expansion (`namespace_2_…`) instead of its step.
 * - Each expansion adds an environment and requirements, even when they equal those of an earlier expansion.
 * - The windowing of the outputs differs from that of the SDK, even when both are plain global windows: a flatten of
 *   such an output with another collection throws.
 * - Files of the service are copied to `~/.apache_beam` at each expansion and never removed, even when they are local.
 */
import * as external from "apache-beam/transforms/external";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { ExpansionResponse } from "apache-beam/proto/beam_expansion_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { localArtifacts } from "./localArtifacts";

interface RawExternalTransform {
  splice(pipeline: Pipeline, transform: runnerApi.PTransform, response: ExpansionResponse, namespace: string): unknown;
  resolveArtifacts(components: runnerApi.Components, address: string): Promise<runnerApi.Components>;
}

/** The class is private to its module, but the closure transformer that the SDK was compiled with exposes it. */
interface WithClosure {
  __closure(): { RawExternalTransform: { prototype: RawExternalTransform } };
}

const sameBytes = (a: runnerApi.Environment, b: runnerApi.Environment): boolean =>
  Buffer.compare(runnerApi.Environment.toBinary(a), runnerApi.Environment.toBinary(b)) === 0;

/** Replaces environments of the response that the pipeline already has. */
function reuseEnvironments(known: runnerApi.Components, { components, transform }: ExpansionResponse): void {
  if (!components) return;
  const { environments, transforms, windowingStrategies } = components;
  for (const [id, environment] of Object.entries(environments)) {
    const same = Object.entries(known.environments).find(([, other]) => sameBytes(environment, other))?.[0];
    if (same === undefined || same === id) continue;
    delete environments[id];
    const users = [
      ...Object.values(transforms),
      ...Object.values(windowingStrategies),
      ...(transform ? [transform] : []),
    ];
    for (const user of users) if (user.environmentId === id) user.environmentId = same;
  }
}

const isPlainGlobal = ({ windowFn, trigger }: runnerApi.WindowingStrategy): boolean =>
  windowFn?.urn === "beam:window_fn:global_windows:v1" && trigger?.trigger.oneofKind === "default";

/** Patch `externalTransforms`. */
export function patchExternalTransforms(): void {
  const { prototype } = (external.rawExternalTransform as unknown as WithClosure).__closure().RawExternalTransform;
  const { splice, resolveArtifacts } = prototype;
  prototype.splice = function (pipeline, transform, response, namespace) {
    const { uniqueName } = transform;
    const proto = pipeline.getProto();
    const components = proto.components as runnerApi.Components;
    reuseEnvironments(components, response);
    response.requirements = response.requirements.filter((urn) => !proto.requirements.includes(urn));
    const result = splice.call(this, pipeline, transform, response, namespace);
    transform.uniqueName = uniqueName;
    const { globalWindowing } = pipeline as unknown as { globalWindowing: string };
    for (const id of Object.values(transform.outputs)) {
      const output = components.pcollections[id] as runnerApi.PCollection;
      const windowing = components.windowingStrategies[output.windowingStrategyId];
      if (windowing && isPlainGlobal(windowing)) output.windowingStrategyId = globalWindowing;
    }
    return result;
  };
  prototype.resolveArtifacts = async function (components, address) {
    const environments = Object.values(components.environments).filter(({ dependencies }) => dependencies.length > 0);
    const files = await Promise.all(environments.map(({ dependencies }) => localArtifacts(dependencies, address)));
    if (files.includes(undefined)) return resolveArtifacts.call(this, components, address);
    environments.forEach((environment, i) => (environment.dependencies = files[i] ?? []));
    return components;
  };
}
