/**
 * The SDK has one operator for all ParDos, which rejects DoFns with an unknown URN. This module adds operators for further
 * URNs of DoFns.
 */
import "./sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { parDo } from "apache-beam/transforms/pardo";
import { registerOperatorConstructor, type OperatorContext, type Receiver } from "apache-beam/worker/operators";
import { sdkOperator, type ExtendedOperator } from "./patches/operators";

/** Creates the operator of a ParDo with one output. */
export type ParDoOperatorConstructor = (
  transformId: string,
  transform: runnerApi.PTransform,
  spec: runnerApi.ParDoPayload,
  context: OperatorContext,
  receiver: Receiver,
) => ExtendedOperator;

const byDoFnUrn = new Map<string, ParDoOperatorConstructor>();
const original = sdkOperator(parDo.urn);

registerOperatorConstructor(parDo.urn, (id, transform, context) => {
  const spec = runnerApi.ParDoPayload.fromBinary(transform.spec?.payload as Uint8Array);
  const create = byDoFnUrn.get(spec.doFn?.urn ?? "");
  if (!create) return original(id, transform, context);
  return create(id, transform, spec, context, context.getReceiver(Object.values(transform.outputs)[0]));
});

/** Registers the operator for ParDos whose DoFn has this URN. Such ParDos have one output. */
export function registerParDoOperator(doFnUrn: string, create: ParDoOperatorConstructor): void {
  byDoFnUrn.set(doFnUrn, create);
}
