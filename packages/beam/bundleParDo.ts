import "./sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Coder } from "apache-beam/coders/coders";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection } from "apache-beam";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { expandDoFn, isGlobal } from "./dofn/applyDoFn";
import type { DoFn, ElementContext, FinishBundleContext, NoDeclarations } from "./dofn/doFn";
import { DoFnOperator } from "./dofn/operator";
import { deserializeDoFn } from "./dofn/serialize";
import { registerParDoOperator } from "./parDoOperators";

const ASYNC_DOFN_URN = "beam:dofn:js_async:v1";

/**
 * A smaller form of `DoFn`, with one output: it learns when a bundle starts, ends and fails, may return promises, and may
 * emit in `finishBundle`. An instance processes one element after another. Instances are serialized: plain fields only, and
 * the class is an export of a module that calls `registerModule`.
 */
export interface BundleDoFn<I, O> {
  /** Called before the first element of each bundle. */
  startBundle?(): void;
  /**
   * Called for each element; the next call waits for the promise. A rejection fails the bundle.
   * @param emit emits an output with its event time, epoch ms (default: that of the input), in the window of the input
   */
  process(element: I, emit: Emit<O>): void | Promise<void>;
  /**
   * Called after the last element. The bundle succeeds only when the promise resolves. A DoFn that emits here must have its
   * input in the global window: use `applyDoFn` for other windows.
   */
  finishBundle?(emit: EmitTimestamped<O>): void | Promise<void>;
  /** Called when the bundle fails, also when another step fails it: cancel requests in flight. */
  bundleFailed?(error: Error): void;
}

/** Emits an output; `timestampMs` is its event time, epoch ms. */
export type Emit<O> = (value: O, timestampMs?: number) => void;
/** Emits an output with its event time, epoch ms. */
export type EmitTimestamped<O> = (value: O, timestampMs: number) => void;

/**
 * Applies a {@link BundleDoFn}. The output has the windows of the input.
 * @param name name of the step
 * @throws DoFnNotSerializableError when the DoFn would not arrive in a worker as it is here
 * @throws Error when `finishBundle` has a parameter and the input is not in the global window
 */
export function bundleParDo<I, O>(
  name: string,
  doFn: BundleDoFn<I, O>,
  outputCoder: Coder<O>,
): PTransform<PCollection<I>, PCollection<O>> {
  function expandInternal(input: PCollection<I>, pipeline: Pipeline, proto: runnerApi.PTransform) {
    const { pcollections, windowingStrategies } = pipeline.getProto().components as runnerApi.Components;
    const strategyId = pcollections[input.getId()]?.windowingStrategyId ?? "";
    if (doFn.finishBundle?.length && !isGlobal(windowingStrategies[strategyId]?.windowFn)) {
      throw new Error(
        `${name}: the input is windowed, and finishBundle cannot say in which window it emits; use applyDoFn, or apply ` +
          "windowInto(globalWindows()) first",
      );
    }
    const step = expandDoFn({
      name,
      urn: ASYNC_DOFN_URN,
      doFn,
      declarations: {},
      input,
      sideInputs: {},
      pipeline,
      proto,
    });
    return step.createOutput(outputCoder);
  }
  return withName(name, expandInternal);
}

/** A {@link BundleDoFn} as a DoFn. */
class BundleDoFnAdapter implements DoFn<unknown, unknown> {
  constructor(private readonly doFn: BundleDoFn<unknown, unknown>) {}

  startBundle(): void {
    this.doFn.startBundle?.();
  }
  process(element: unknown, context: ElementContext<unknown>): void | Promise<void> {
    return this.doFn.process(element, (value, timestampMs) => {
      if (timestampMs === undefined) context.output(value);
      else context.output(value, { timestampMs });
    });
  }
  finishBundle(context: FinishBundleContext<unknown, NoDeclarations>): void | Promise<void> {
    return this.doFn.finishBundle?.((value, timestampMs) => context.output(value, { timestampMs }));
  }
  bundleFailed(error: Error): void {
    this.doFn.bundleFailed?.(error);
  }
}

registerParDoOperator(ASYNC_DOFN_URN, (id, transform, spec, context) => {
  const doFn = deserializeDoFn<BundleDoFn<unknown, unknown>>(spec.doFn?.payload as Uint8Array);
  return new DoFnOperator(id, transform, spec, context, new BundleDoFnAdapter(doFn), {});
});
