/**
 * Mends what the SDK does with the answer of an expansion service:
 * - the transform is named after the namespace of its expansion (`namespace_2_…`) instead of after its step.
 * - each expansion adds an environment and requirements, although they are those of the one before.
 * - the windowing of what comes out is another one than the SDK's own, even where both are plain global windows: a
 *   flatten of both throws.
 * - files that the service names are copied to `~/.apache_beam`, for good, also when they are on this machine.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import * as external from "apache-beam/transforms/external";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { ExpansionResponse } from "apache-beam/proto/beam_expansion_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";

interface RawExternalTransform {
  splice(pipeline: Pipeline, transform: runnerApi.PTransform, response: ExpansionResponse, namespace: string): unknown;
  resolveArtifacts(components: runnerApi.Components, address: string): Promise<runnerApi.Components>;
}

/** The class is private to its module, but the closure transformer that the SDK was compiled with exposes it. */
interface WithClosure {
  __closure(): { RawExternalTransform: { prototype: RawExternalTransform } };
}

const FILE_URN = "beam:artifact:type:file:v1";

const hashes = new Map<string, Promise<string>>();

/** SHA-256 of a file, in hex; computed once in this process. */
function hashOf(file: string): Promise<string> {
  let hash = hashes.get(file);
  if (!hash) {
    hash = (async () => {
      const hasher = createHash("sha256");
      for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hasher.update(chunk as Buffer);
      return hasher.digest("hex");
    })();
    hashes.set(file, hash);
  }
  return hash;
}

/** Whether an artifact is a file of this machine, and the very one that was meant. */
async function isHere({ typeUrn, typePayload }: runnerApi.ArtifactInformation): Promise<boolean> {
  if (typeUrn !== FILE_URN) return false;
  const { path, sha256 } = runnerApi.ArtifactFilePayload.fromBinary(typePayload);
  return sha256 !== "" && existsSync(path) && (await hashOf(path)) === sha256;
}

const sameBytes = (a: runnerApi.Environment, b: runnerApi.Environment): boolean =>
  Buffer.compare(runnerApi.Environment.toBinary(a), runnerApi.Environment.toBinary(b)) === 0;

/** Replaces environments of the answer that the pipeline has already. */
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

export function repairExternalTransforms(): void {
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
    const artifacts = Object.values(components.environments).flatMap(({ dependencies }) => dependencies);
    const here = await Promise.all(artifacts.map(isHere));
    return here.every(Boolean) ? components : resolveArtifacts.call(this, components, address);
  };
}
