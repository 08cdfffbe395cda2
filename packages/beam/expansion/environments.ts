import "../sdk";
import protobufjs = require("protobufjs");
import { Environment, type Components, type Pipeline } from "apache-beam/proto/beam_runner_api";

/** Of Beam's beam_runner_api.proto; the SDK's is older. The environments stay bytes, for the SDK's own type. */
const { root } = protobufjs.parse(`
  syntax = "proto3";
  message AnyOfEnvironmentPayload {
    repeated bytes environments = 1;
  }
`);
const AnyOf = root.lookupType("AnyOfEnvironmentPayload");

const ANY_OF_URN = "beam:env:anyof:v1";
const EXTERNAL_URN = "beam:env:external:v1";

function externalAlternative(environment: Environment): Environment {
  const { environments } = AnyOf.decode(environment.payload) as unknown as { environments: Uint8Array[] };
  const alternatives = environments.map((bytes) => Environment.fromBinary(bytes));
  const external = alternatives.find(({ urn }) => urn === EXTERNAL_URN);
  if (!external) {
    const urns = alternatives.map(({ urn }) => urn).join(", ");
    throw new Error(`An expansion service offers only the environments ${urns}, no worker that runs already`);
  }
  const { capabilities } = external.capabilities.length ? external : environment;
  // A worker that runs has all its files.
  return { ...external, capabilities, dependencies: [] };
}

/**
 * Where an expansion service leaves a choice of environments, takes the worker that runs already: the service itself,
 * when it was started with a loopback worker. Runners of this SDK's age know no such choice.
 * @throws Error when such a worker is not among them
 */
export function useExternalAlternatives(pipeline: Pipeline): void {
  const { environments } = pipeline.components as Components;
  for (const [id, environment] of Object.entries(environments)) {
    if (environment.urn === ANY_OF_URN) environments[id] = externalAlternative(environment);
  }
}
