/**
 * ParDo operators are chosen by the URN of the transform; the SDK then branches on the URN of the DoFn and refuses those
 * it does not know. This lets further DoFn URNs in.
 */
import "./sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { parDo } from "apache-beam/transforms/pardo";
import { registerOperatorConstructor, type OperatorContext, type Receiver } from "apache-beam/worker/operators";
import { sdkOperator, type ExtendedOperator } from "./patches/operators";

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

/** Serves ParDos whose DoFn has this URN. They have one output. */
export function registerParDoOperator(doFnUrn: string, create: ParDoOperatorConstructor): void {
  byDoFnUrn.set(doFnUrn, create);
}
