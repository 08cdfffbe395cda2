/**
 * The SDK has one operator for all ParDos, which rejects DoFns with an unknown URN. This module adds operators for further
 * URNs of DoFns.
 */
import "./sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { SPLITTING_JS_DOFN_URN } from "apache-beam/internal/urns";
import { parDo } from "apache-beam/transforms/pardo";
import { registerOperatorConstructor, type OperatorContext, type Receiver } from "apache-beam/worker/operators";
import { sdkOperator, type ExtendedOperator } from "./patches/operators";

/** Creates the operator of a ParDo. `receiver` is that of the first output: of the only one, unless the DoFn has several. */
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
  const urn = spec.doFn?.urn ?? "";
  const create = byDoFnUrn.get(urn);
  if (create) return create(id, transform, spec, context, context.getReceiver(Object.values(transform.outputs)[0]));
  const outputs = Object.keys(transform.outputs);
  // The SDK's operators use the first output and silently drop the rest: its check forgets to throw.
  if (outputs.length > 1 && urn !== SPLITTING_JS_DOFN_URN) {
    throw new Error(`${id}: a DoFn of the SDK has one output, not ${outputs.length} (${outputs.join(", ")})`);
  }
  return original(id, transform, context);
});

/** Registers the operator for ParDos whose DoFn has this URN. */
export function registerParDoOperator(doFnUrn: string, create: ParDoOperatorConstructor): void {
  byDoFnUrn.set(doFnUrn, create);
}
