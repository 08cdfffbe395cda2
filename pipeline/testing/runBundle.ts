import type { BundleDoFn } from "@eventlogger/beam";

/** Runs a DoFn on one bundle and returns its output. */
export async function runBundle<I, O>(doFn: BundleDoFn<I, O>, elements: Iterable<I>): Promise<O[]> {
  const output: O[] = [];
  const emit = (value: O): void => void output.push(value);
  doFn.startBundle?.();
  for (const element of elements) await doFn.process(element, emit);
  await doFn.finishBundle?.(emit);
  return output;
}
