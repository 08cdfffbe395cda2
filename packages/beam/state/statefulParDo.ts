import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Coder } from "apache-beam/coders/coders";
import type { KVCoder } from "apache-beam/coders/required_coders";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection } from "apache-beam";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { expandDoFn } from "../dofn/applyDoFn";
import type { DoFn, InputContext, NoDeclarations } from "../dofn/doFn";
import { DoFnOperator } from "../dofn/operator";
import { deserializeDoFn } from "../dofn/serialize";
import { registerParDoOperator } from "../parDoOperators";
import type { CellsOf, StateDeclarations } from "./cells";

export { defaultCacheMib, stateStats } from "./keyedState";

const STATEFUL_DOFN_URN = "beam:dofn:js_stateful:v1";

/**
 * A smaller form of `DoFn`, with state for each key and window and one output. Instances are serialized: plain fields only,
 * and the class is an export of a module that calls `registerModule`.
 *
 * @typeParam V value of the input, which is `KV<string, V>`
 * @typeParam O output
 */
export interface StatefulDoFn<V, O, D extends StateDeclarations> {
  /** Declares the states; must return the same in the launcher and in every worker. */
  states(): D;
  /** Processes an element. The cells of its key are loaded. The outputs have time, window and pane of the element. */
  process(key: string, value: V, cells: CellsOf<D>): Iterable<O> | void;
  /**
   * Called once for each key and window of the bundle, after its elements and before its state is saved. May emit: the
   * outputs have time, window and pane of the last element of the key.
   */
  finishKey?(key: string, cells: CellsOf<D>): Iterable<O> | void;
}

type AnyStatefulDoFn = StatefulDoFn<unknown, unknown, StateDeclarations>;

/**
 * Applies a stateful DoFn to a keyed collection. `applyDoFn` explains when state is read and saved.
 *
 * @param coders coders of the input (the runner partitions it by the encoded key) and of the output
 * @throws DoFnNotSerializableError when the DoFn would not arrive in a worker as it is here
 * @throws Error when the input does not have a KV coder, or is in windows that merge
 */
export function statefulParDo<V, O, D extends StateDeclarations>(
  name: string,
  doFn: StatefulDoFn<V, O, D>,
  coders: { input: KVCoder<string, V>; output: Coder<O> },
): PTransform<PCollection<KV<string, V>>, PCollection<O>> {
  function expandInternal(input: PCollection<KV<string, V>>, pipeline: Pipeline, proto: runnerApi.PTransform) {
    const step = expandDoFn({
      name,
      urn: STATEFUL_DOFN_URN,
      doFn,
      declarations: { states: doFn.states() },
      isAlwaysKeyed: true,
      input,
      sideInputs: {},
      pipeline,
      proto,
    });
    return step.createOutput(coders.output);
  }
  return withName(name, expandInternal);
}

type Context = InputContext<unknown, NoDeclarations>;

/** A {@link StatefulDoFn} as a DoFn. */
class StatefulDoFnAdapter implements DoFn<KV<string, unknown>, unknown> {
  constructor(private readonly doFn: AnyStatefulDoFn) {}

  process({ key, value }: KV<string, unknown>, { state }: Context): Iterable<unknown> | void {
    return this.doFn.process(key, value, state as CellsOf<StateDeclarations>);
  }
  finishKey(key: string, { state }: Context): Iterable<unknown> | void {
    return this.doFn.finishKey?.(key, state as CellsOf<StateDeclarations>);
  }
}

registerParDoOperator(STATEFUL_DOFN_URN, (id, transform, spec, context) => {
  const doFn = deserializeDoFn<AnyStatefulDoFn>(spec.doFn?.payload as Uint8Array);
  const declarations = { states: doFn.states() };
  return new DoFnOperator(id, transform, spec, context, new StatefulDoFnAdapter(doFn), declarations);
});
