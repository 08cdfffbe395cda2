import "../sdk";
import protobufjs from "protobufjs";
import { Environment, type Components, type Pipeline } from "apache-beam/proto/beam_runner_api";

/** From Beam's beam_runner_api.proto; that of the SDK is older. The environments stay bytes and are decoded by the SDK's type. */
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
    throw new Error(
      `An expansion service offers only the environments ${urns}, and no running worker. Start it with loopbackWorker`,
    );
  }
  const { capabilities } = external.capabilities.length ? external : environment;
  // A running worker has all its files.
  return { ...external, capabilities, dependencies: [] };
}

/**
 * Resolves environments with alternatives (`beam:env:anyof:v1`), which an expansion service returns, to the running worker:
 * the service itself when it has a loopback worker. The Flink runner itself would
 * choose Docker.
 * @throws Error when no alternative is a running worker
 */
export function useExternalAlternatives(pipeline: Pipeline): void {
  const { environments } = pipeline.components as Components;
  for (const [id, environment] of Object.entries(environments)) {
    if (environment.urn === ANY_OF_URN) environments[id] = externalAlternative(environment);
  }
}
