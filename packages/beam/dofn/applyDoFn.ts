import "../sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Coder } from "apache-beam/coders/coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { KVCoder } from "apache-beam/coders/required_coders";
import { ASSIGN_MAX_TIMESTAMP_WINDOW_MAPPING_FN_URN } from "apache-beam/internal/urns";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection } from "apache-beam";
import { parDo } from "apache-beam/transforms/pardo";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { TimerCoder } from "../coders/timer";
import { registerParDoOperator } from "../parDoOperators";
import { checkSerializable } from "./checkSerializable";
import type { DoFn, DoFnDeclarations, NoDeclarations, TaggedOutputsOf } from "./doFn";
import { allStates, allTimers, DoFnOperator, isKeyed, type AnyDoFn } from "./operator";
import { deserializeDoFn, serializeDoFn } from "./serialize";
import { sideInputId } from "./sideInputs";
import { canBeSideInput } from "./sideInputWindows";
import { timeDomain } from "./timers";
import type { View, ViewDeclarations } from "./views";

const DOFN_URN = "beam:dofn:js_dofn:v1";
const BAG_PROTOCOL_URN = "beam:user_state:bag:v1";
/** The Beam model has one requirement for states and timers. */
const STATEFUL_REQUIREMENT_URN = "beam:requirement:pardo:stateful:v1";
const ACCESS_PATTERNS = {
  iterable: "beam:side_input:iterable:v1",
  singleton: "beam:side_input:iterable:v1",
  multimap: "beam:side_input:multimap:v1",
  map: "beam:side_input:multimap:v1",
} as const;

/** The collections of the side inputs of a DoFn by name. */
type SideInputCollections<D extends DoFnDeclarations> = D extends {
  readonly sideInputs: infer V extends ViewDeclarations;
}
  ? {
      readonly sideInputs: {
        readonly [K in keyof V]: V[K] extends View<infer E, unknown> ? PCollection<E> : never;
      };
    }
  : { readonly sideInputs?: undefined };

/** Options of {@link applyDoFn}. */
export type ApplyDoFnOptions<O, D extends DoFnDeclarations> = {
  /**
   * Coder of the main output.
   * @default the SDK's coder for any JavaScript value, which other languages cannot read
   */
  readonly output?: Coder<O>;
} & SideInputCollections<D>;

/** The outputs of {@link applyDoFn}: one collection, or `main` and one for each further output by its tag. */
export type DoFnOutputs<O, D extends DoFnDeclarations> = D extends { readonly outputs: object }
  ? { readonly main: PCollection<O> } & { readonly [K in keyof TaggedOutputsOf<D>]: PCollection<TaggedOutputsOf<D>[K]> }
  : PCollection<O>;

type OptionsArgument<O, D extends DoFnDeclarations> = D extends { readonly sideInputs: object }
  ? [options: ApplyDoFnOptions<O, D>]
  : [options?: ApplyDoFnOptions<O, D>];

/**
 * Applies a {@link DoFn}. Its outputs have the windows of the input.
 *
 * State is read once for each key of a bundle, with all reads in flight together, and saved at the end of the bundle, which
 * succeeds only after the runner has confirmed the writes. Where the runner offers cache tokens, states stay in the worker
 * between bundles (environment variable `BEAM_STATE_CACHE_MIB`, MiB; default a quarter of the heap limit, at most 512).
 *
 * @param name name of the step
 * @throws DoFnNotSerializableError when the DoFn would not arrive in a worker as it is here
 * @throws Error for a DoFn with states or timers whose input has no KV coder or is in merging windows, and for a side input
 *   whose windows have no window for those of the input
 */
export function applyDoFn<I, O, D extends DoFnDeclarations = NoDeclarations>(
  name: string,
  doFn: DoFn<I, O, D>,
  ...[options]: OptionsArgument<O, D>
): PTransform<PCollection<I>, DoFnOutputs<O, D>> {
  function expandInternal(input: PCollection<I>, pipeline: Pipeline, proto: runnerApi.PTransform): DoFnOutputs<O, D> {
    const declarations: DoFnDeclarations = doFn.declare?.() ?? {};
    const { output = new GeneralObjectCoder<O>(), sideInputs = {} } = (options ?? {}) as {
      output?: Coder<O>;
      sideInputs?: Readonly<Record<string, PCollection<unknown>>>;
    };
    checkNames(name, doFn as AnyDoFn, declarations);
    const main = expandDoFn({
      name,
      urn: DOFN_URN,
      doFn: doFn,
      declarations,
      input,
      sideInputs,
      pipeline,
      proto,
    });
    const create = <T>(coder: Coder<T>): PCollection<T> => main.createOutput(coder);
    const { outputs } = declarations;
    if (!outputs) return create(output) as DoFnOutputs<O, D>;
    const tagged = Object.entries(outputs).map(([tag, coder]) => [tag, create(coder)] as const);
    return { main: create(output), ...Object.fromEntries(tagged) } as DoFnOutputs<O, D>;
  }
  return withName(name, expandInternal);
}

/** Checks what a DoFn declares. */
function checkNames(name: string, doFn: AnyDoFn, { states, timers, outputs }: DoFnDeclarations): void {
  if (outputs && "main" in outputs) throw new Error(`${name}: "main" is the tag of the main output; use another one`);
  if (timers && !doFn.onTimer) throw new Error(`${name}: the DoFn declares timers and has no method onTimer`);
  const reserved = Object.keys({ ...states, ...timers }).find((declared) => declared.startsWith("__"));
  if (reserved !== undefined) throw new Error(`${name}: the name ${reserved} is reserved; use one without "__"`);
}

/** What {@link expandDoFn} needs. */
interface Expansion {
  readonly name: string;
  /** URN of the operator that runs the DoFn. */
  readonly urn: string;
  /** What is serialized. */
  readonly doFn: object;
  readonly declarations: DoFnDeclarations;
  /** Whether the DoFn works by key even without states and timers. */
  readonly isAlwaysKeyed?: boolean;
  readonly input: PCollection<unknown>;
  readonly sideInputs: Readonly<Record<string, PCollection<unknown>>>;
  readonly pipeline: Pipeline;
  readonly proto: runnerApi.PTransform;
}

/** Fills in the proto of the step of a DoFn. */
export function expandDoFn({
  name,
  urn,
  doFn,
  declarations,
  isAlwaysKeyed,
  input,
  sideInputs,
  pipeline,
  proto,
}: Expansion): { createOutput<T>(coder: Coder<T>): PCollection<T> } {
  checkSerializable(name, doFn);
  const components = pipeline.getProto().components as runnerApi.Components;
  const { coderId, windowingStrategyId, isBounded } = components.pcollections[input.getId()] as runnerApi.PCollection;
  const windowing = components.windowingStrategies[windowingStrategyId] as runnerApi.WindowingStrategy;
  const inputCoder = components.coders[coderId] as runnerApi.Coder;
  const states = allStates(declarations);
  const timers = allTimers(doFn, declarations);
  const isStateful = Object.keys(states).length + Object.keys(timers).length > 0;
  if (isStateful || isAlwaysKeyed || isKeyed(doFn as AnyDoFn, declarations)) {
    if (inputCoder.spec?.urn !== KVCoder.URN) {
      throw new Error(`${name}: the input of a stateful ParDo must have a KV coder; apply withKvCoder(...) first`);
    }
    if (windowing.mergeStatus === runnerApi.MergeStatus_Enum.NEEDS_MERGE) {
      throw new Error(`${name}: state and timers are not possible in windows that merge; group by key first`);
    }
  }
  if (isStateful) {
    const { requirements } = pipeline.getProto();
    if (!requirements.includes(STATEFUL_REQUIREMENT_URN)) requirements.push(STATEFUL_REQUIREMENT_URN);
  }
  const stateSpecs: Record<string, runnerApi.StateSpec> = {};
  for (const [stateName, { coder }] of Object.entries(states)) {
    stateSpecs[stateName] = {
      spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId: pipeline.context.getCoderId(coder) } },
      protocol: { urn: BAG_PROTOCOL_URN, payload: new Uint8Array() },
    };
  }
  const timerFamilySpecs: Record<string, runnerApi.TimerFamilySpec> = {};
  for (const [timerName, declaration] of Object.entries(timers)) {
    const componentCoderIds = [inputCoder.componentCoderIds[0] as string, windowing.windowCoderId];
    const timerCoder = {
      toProto: () => ({ spec: { urn: TimerCoder.URN, payload: new Uint8Array() }, componentCoderIds }),
    };
    timerFamilySpecs[timerName] = {
      timeDomain: timeDomain(declaration),
      timerFamilyCoderId: pipeline.context.getCoderId(timerCoder as unknown as Coder<unknown>),
    };
  }
  proto.spec = runnerApi.FunctionSpec.create({
    urn: parDo.urn,
    payload: runnerApi.ParDoPayload.toBinary(
      runnerApi.ParDoPayload.create({
        doFn: runnerApi.FunctionSpec.create({ urn, payload: serializeDoFn(doFn) }),
        stateSpecs,
        timerFamilySpecs,
        sideInputs: sideInputSpecs(name, declarations.sideInputs ?? {}, sideInputs, components, windowing, proto),
      }),
    ),
  });
  return {
    // The SDK would derive windowing and boundedness from all inputs, side inputs included.
    createOutput: (coder) => pipeline.createPCollectionInternal(coder, windowingStrategyId, isBounded),
  };
}

function sideInputSpecs(
  name: string,
  views: ViewDeclarations,
  collections: Readonly<Record<string, PCollection<unknown>>>,
  components: runnerApi.Components,
  mainWindowing: runnerApi.WindowingStrategy,
  proto: runnerApi.PTransform,
): Record<string, runnerApi.SideInput> {
  const specs: Record<string, runnerApi.SideInput> = {};
  const unused = { urn: "unused", payload: new Uint8Array() };
  for (const [viewName, { kind }] of Object.entries(views)) {
    const collection = collections[viewName];
    if (!collection)
      throw new Error(`${name}: the side input ${viewName} is missing; give its collection in sideInputs`);
    const { coderId, windowingStrategyId } = components.pcollections[collection.getId()] as runnerApi.PCollection;
    if ((kind === "multimap" || kind === "map") && components.coders[coderId]?.spec?.urn !== KVCoder.URN) {
      throw new Error(`${name}: the side input ${viewName} must have a KV coder; apply withKvCoder(...) first`);
    }
    const { windowFn } = components.windowingStrategies[windowingStrategyId] as runnerApi.WindowingStrategy;
    if (!canBeSideInput(windowFn)) {
      throw new Error(`${name}: the side input ${viewName} must be in global, fixed or sliding windows`);
    }
    if (isGlobal(mainWindowing.windowFn) && !isGlobal(windowFn)) {
      throw new Error(`${name}: the side input ${viewName} is windowed, and the input is in the global window`);
    }
    const id = sideInputId(viewName);
    proto.inputs[id] = collection.getId();
    specs[id] = {
      accessPattern: { urn: ACCESS_PATTERNS[kind], payload: new Uint8Array() },
      viewFn: unused,
      windowMappingFn: { urn: ASSIGN_MAX_TIMESTAMP_WINDOW_MAPPING_FN_URN, payload: new Uint8Array() },
    };
  }
  const unknown = Object.keys(collections).find((given) => !(given in views));
  if (unknown !== undefined) throw new Error(`${name}: the DoFn declares no side input ${unknown}`);
  return specs;
}

/** Whether a windowing function is that of the global window. */
export function isGlobal(windowFn: runnerApi.FunctionSpec | undefined): boolean {
  return windowFn?.urn === "beam:window_fn:global_windows:v1";
}

registerParDoOperator(DOFN_URN, (id, transform, spec, context) => {
  const doFn = deserializeDoFn<AnyDoFn>(spec.doFn?.payload as Uint8Array);
  return new DoFnOperator(id, transform, spec, context, doFn, doFn.declare?.() ?? {});
});
