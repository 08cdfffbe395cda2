/**
 * Patches the side inputs of the SDK's own ParDos: the value of an iterable side input is a generator that is kept for the
 * whole bundle, so that it is empty from the second element on. The patch keeps an array.
 */
import type { SideInputParam } from "apache-beam/transforms/pardo";
import { ParamProviderImpl } from "apache-beam/worker/pardo_context";

/** Patch `sideInputs`. */
export function patchSideInputs(): void {
  const { prefetchSideInput } = ParamProviderImpl.prototype;
  ParamProviderImpl.prototype.prefetchSideInput = function (param: SideInputParam<unknown, unknown, unknown>) {
    const { accessor } = param;
    const toValue = (elements: Iterable<unknown>): unknown => accessor.toValue([...elements]);
    const kept = { accessor: { value: { ...accessor, toValue } } };
    return prefetchSideInput.call(this, Object.create(param, kept) as typeof param);
  };
}
