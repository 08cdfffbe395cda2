import "../sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { KV, PaneInfo, Window } from "apache-beam/values";
import type { CellsOf, StateDeclarations } from "../state/cells";
import type { StateExpiry } from "./expireState";
import type { Timer, TimerDeclarations } from "./timers";
import type { View, ViewDeclarations } from "./views";

/**
 * What a {@link DoFn} needs from the runner. A DoFn returns it from `declare`, which must return the same in the launcher
 * and in every worker.
 */
export interface DoFnDeclarations {
  /** States for each key and window: `valueState`, `bagState`, `combiningState`, `setState`, `mapState`, `foldedState`. */
  readonly states?: StateDeclarations;
  /** Timers for each key and window: `eventTimer()`, `processingTimer()`. */
  readonly timers?: TimerDeclarations;
  /** Coders of the further outputs by tag. The tag `main` is that of the main output. */
  readonly outputs?: OutputDeclarations;
  /** Side inputs: `iterableView`, `singletonView`, `multimapView`, `mapView`. */
  readonly sideInputs?: ViewDeclarations;
  /** Clears the states of a key some time after its last element: `expireState`. */
  readonly expire?: StateExpiry;
}

/** Coders of further outputs by tag. */
export type OutputDeclarations = Readonly<Record<string, Coder<unknown>>>;

/** The declarations of a DoFn that declares nothing. */
export interface NoDeclarations extends DoFnDeclarations {
  readonly states?: never;
  readonly timers?: never;
  readonly outputs?: never;
  readonly sideInputs?: never;
  readonly expire?: never;
}

type None = object;

/** The states of a DoFn by name. */
export type StatesOf<D extends DoFnDeclarations> = D extends { readonly states: infer S extends StateDeclarations }
  ? CellsOf<S>
  : None;
/** The timers of a DoFn by name. */
export type TimersOf<D extends DoFnDeclarations> = D extends { readonly timers: infer T extends TimerDeclarations }
  ? { readonly [K in keyof T]: Timer }
  : None;
/** The side inputs of a DoFn by name. */
export type SideInputsOf<D extends DoFnDeclarations> = D extends {
  readonly sideInputs: infer V extends ViewDeclarations;
}
  ? { readonly [K in keyof V]: V[K] extends View<unknown, infer Access> ? Access : never }
  : None;
/** The values of the further outputs of a DoFn by tag. */
export type TaggedOutputsOf<D extends DoFnDeclarations> = D extends {
  readonly outputs: infer O extends OutputDeclarations;
}
  ? { readonly [K in keyof O]: O[K] extends Coder<infer T> ? T : never }
  : None;
/** Names of the timers of a DoFn. */
export type TimerNameOf<D extends DoFnDeclarations> = keyof TimersOf<D> & string;
/** The key of an element of a keyed collection. */
export type KeyOf<I> = I extends KV<infer K, unknown> ? K : never;

/** What a method of a DoFn may return: nothing, outputs of the main output, or a promise of either. */
export type DoFnResult<O> = void | Iterable<O> | AsyncIterable<O> | Promise<void | Iterable<O>>;

/** Time of an output. */
export interface OutputOptions {
  /**
   * Event time, epoch ms. An output that is earlier than its input may be late data for the steps that follow.
   * @default the time of the input
   */
  readonly timestampMs?: number;
}

/** Emits outputs. They have the window and the pane of the input. Calls are errors after the method has returned. */
export interface Outputs<O, D extends DoFnDeclarations> {
  /**
   * Emits to the main output.
   * @throws RangeError when the time is not a number of milliseconds in the range of the Beam model
   */
  output(value: O, options?: OutputOptions): void;
  /** Emits to a further output. */
  outputTo<T extends keyof TaggedOutputsOf<D>>(tag: T, value: TaggedOutputsOf<D>[T], options?: OutputOptions): void;
}

/** What a DoFn can use while it processes an element or a timer of one window. */
export interface InputContext<O, D extends DoFnDeclarations> extends Outputs<O, D> {
  /** Event time, epoch ms. Of a timer: its output timestamp. */
  readonly timestampMs: number;
  /** The window. An element that is in several windows is processed once for each. */
  readonly window: Window;
  readonly pane: PaneInfo;
  /** The states of the key and window. */
  readonly state: StatesOf<D>;
  /** Sets and clears the timers of the key and window. */
  readonly timers: TimersOf<D>;
  /** The side inputs of the window. */
  readonly sideInputs: SideInputsOf<D>;
}

/** The context of `process`. */
export type ElementContext<O, D extends DoFnDeclarations = NoDeclarations> = InputContext<O, D>;

/** A timer that fires. */
export interface FiredTimer<D extends DoFnDeclarations> {
  /** Name of the timer in the declarations. */
  readonly name: TimerNameOf<D>;
  /** The tag with which it was set; empty without one. */
  readonly tag: string;
  /** The time for which it was set, epoch ms. */
  readonly fireTimestampMs: number;
}

/** The context of `onTimer`. */
export interface TimerContext<I, O, D extends DoFnDeclarations> extends InputContext<O, D> {
  readonly key: KeyOf<I>;
}

/**
 * The context of `finishKey`. Time and pane are those of the last element or timer of the key and window in the bundle.
 */
export interface KeyContext<I, O, D extends DoFnDeclarations> extends InputContext<O, D> {
  readonly key: KeyOf<I>;
}

/** The context of `startBundle`. */
export interface BundleContext {
  /** Id of the bundle in the worker, for logs. */
  readonly bundleId: string;
}

/** Time and window of an output of `finishBundle`, which has no input. */
export interface FinishBundleOutputOptions {
  /** Event time, epoch ms. */
  readonly timestampMs: number;
  /** The window. It may be left out when the input is in the global window. */
  readonly window?: Window;
}

/** The context of `finishBundle`. */
export interface FinishBundleContext<O, D extends DoFnDeclarations> extends BundleContext {
  /**
   * Emits to the main output.
   * @throws RangeError when the time is not a number of milliseconds in the range of the Beam model
   * @throws Error when the window is left out and the input is not in the global window
   */
  output(value: O, options: FinishBundleOutputOptions): void;
  /** Emits to a further output. */
  outputTo<T extends keyof TaggedOutputsOf<D>>(
    tag: T,
    value: TaggedOutputsOf<D>[T],
    options: FinishBundleOutputOptions,
  ): void;
}

/**
 * A DoFn of the Beam model: it processes elements one after the other, and may have several outputs, side inputs, and state
 * and timers for each key and window. Apply it with `applyDoFn`.
 *
 * Instances are serialized: fields hold plain data only, and the class is an export of a module that calls `registerModule`.
 * `applyDoFn` checks that. A worker has several instances; an instance processes one bundle after another. Every method may
 * return a promise, and the next call waits for it. A method that throws or rejects fails the bundle, and the runner repeats it.
 *
 * @typeParam I input; `KV<K, V>` when the DoFn has states or timers
 * @typeParam O main output
 * @typeParam D declarations: `typeof` of the object that `declare` returns
 */
export interface DoFn<I, O, D extends DoFnDeclarations = NoDeclarations> {
  /**
   * Whether `process` reads the values of a key with `for await`, page by page, when they do not fit into memory: the
   * iterable of the element is then an array or a `LargeIterable`. Otherwise it is always an array. @default false
   */
  readonly readsLargeIterables?: boolean;
  /** Declares states, timers, further outputs and side inputs. */
  declare?(): D;
  /** Called once for each instance, before its first bundle: open connections, allocate buffers. */
  setup?(): void | Promise<void>;
  /** Called before the first element of each bundle. */
  startBundle?(context: BundleContext): void | Promise<void>;
  /**
   * Called for each element, and for each of its windows. It emits with `context.output`, or returns outputs: it may be a
   * generator, and then waits for the steps that follow.
   */
  process(element: I, context: ElementContext<O, D>): DoFnResult<O>;
  /** Called for each timer that fires. Required when the DoFn declares timers. */
  onTimer?(timer: FiredTimer<D>, context: TimerContext<I, O, D>): DoFnResult<O>;
  /**
   * Called once for each key and window that had elements, after the end of the window and its allowed lateness, and before the
   * runner clears its state: the place to emit what is left. Outputs have the time of the end of the window; the watermark of the
   * output waits there until then. In the global window it is called when the job is drained or has read all its input. The DoFn
   * is then keyed, as one with states.
   */
  onWindowExpiration?(context: TimerContext<I, O, D>): DoFnResult<O>;
  /**
   * An addition to the Beam model, for DoFns with states or timers: called once for each key and window of the bundle, after
   * its elements and timers and before its state is saved. Emits what a bundle changed, instead of what an element changed.
   */
  finishKey?(key: KeyOf<I>, context: KeyContext<I, O, D>): DoFnResult<O>;
  /** Called after the last element and timer. The bundle succeeds only when it has succeeded. */
  finishBundle?(context: FinishBundleContext<O, D>): void | Promise<void>;
  /**
   * Called once for each instance, after its last bundle: when a bundle has failed, after a minute without bundles, and when
   * the worker stops. It is not called when the worker's process dies.
   */
  teardown?(): void | Promise<void>;
  /** An addition to the Beam model: the bundle fails, maybe because of another step. Cancel requests in flight. */
  bundleFailed?(error: Error): void;
}
