/**
 * Patches the side inputs of the SDK's own ParDos:
 * - The value of an iterable side input is a generator that is kept for the whole bundle, so that it is empty from the second
 *   element on. The patch keeps an array.
 * - The output gets its boundedness and windowing from all inputs, so that a pipeline with a bounded side input of an unbounded
 *   input cannot be built. The patch leaves out side inputs.
 */
import { ParDoPayload, type Components, type PTransform } from "apache-beam/proto/beam_runner_api";
import { Pipeline } from "apache-beam/internal/pipeline";
import { SERIALIZED_JS_DOFN_INFO } from "apache-beam/internal/urns";
import { parDo, type SideInputParam } from "apache-beam/transforms/pardo";
import { ParamProviderImpl } from "apache-beam/worker/pardo_context";

const GLOBAL_WINDOWS_URN = "beam:window_fn:global_windows:v1";
const isSideInput = ([id]: [string, string]): boolean => id.startsWith("side.");

function isSdkParDo({ spec }: PTransform): boolean {
  return spec?.urn === parDo.urn && ParDoPayload.fromBinary(spec.payload).doFn?.urn === SERIALIZED_JS_DOFN_INFO;
}

/** The worker of the SDK knows two mappings of windows. It reports others only when it processes a bundle. */
function checkWindows(components: Components, { uniqueName, inputs }: PTransform): void {
  const windowingOf = (pcollection: string): string => components.pcollections[pcollection]?.windowingStrategyId ?? "";
  const [main] = Object.entries(inputs).filter((input) => !isSideInput(input));
  for (const [id, pcollection] of Object.entries(inputs).filter(isSideInput)) {
    const windowing = windowingOf(pcollection);
    const isGlobal = components.windowingStrategies[windowing]?.windowFn?.urn === GLOBAL_WINDOWS_URN;
    if (isGlobal || (main && windowing === windowingOf(main[1]))) continue;
    throw new Error(
      `${uniqueName}: the windows of the side input ${id.slice("side.".length)} differ from those of the input; use applyDoFn`,
    );
  }
}

/** Patch `sideInputs`. */
export function patchSideInputs(): void {
  const { prefetchSideInput } = ParamProviderImpl.prototype;
  ParamProviderImpl.prototype.prefetchSideInput = function (param: SideInputParam<unknown, unknown, unknown>) {
    const { accessor } = param;
    const toValue = (elements: Iterable<unknown>): unknown => accessor.toValue([...elements]);
    const kept = { accessor: { value: { ...accessor, toValue } } };
    return prefetchSideInput.call(this, Object.create(param, kept) as typeof param);
  };
  const { postApplyTransform } = Pipeline.prototype;
  Pipeline.prototype.postApplyTransform = function (transform, proto, result) {
    if (!isSdkParDo(proto)) return postApplyTransform.call(this, transform, proto, result) as typeof result;
    checkWindows(this.getProto().components as Components, proto);
    const { inputs } = proto;
    proto.inputs = Object.fromEntries(Object.entries(inputs).filter((input) => !isSideInput(input)));
    try {
      return postApplyTransform.call(this, transform, proto, result) as typeof result;
    } finally {
      proto.inputs = inputs;
    }
  };
}
