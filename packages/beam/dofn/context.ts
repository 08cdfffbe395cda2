import "../sdk";
import { GlobalWindow, Timing, type Instant, type PaneInfo, type Window } from "apache-beam/values";
import { NonPromise, type ProcessResult, type Receiver } from "apache-beam/worker/operators";
import type { Entry } from "../state/keyedState";
import type { FinishBundleOutputOptions, OutputOptions } from "./doFn";
import { toTimestamp } from "./timestamps";

/** The pane of elements that no trigger has fired: of new elements, and of the outputs of timers and `finishBundle`. */
export const NO_FIRING: PaneInfo = { isFirst: true, isLast: true, timing: Timing.UNKNOWN, index: 0, onTimeIndex: 0 };

const GLOBAL_WINDOW = new GlobalWindow();

/**
 * What the methods of one instance of a DoFn get as their context. Methods run one after the other, so there is one object;
 * the operator sets what it is about before each call.
 */
export class DoFnContext {
  bundleId = "";
  state: Readonly<Record<string, unknown>> = {};
  sideInputs: Readonly<Record<string, unknown>> = {};
  /** The entry of the current key and window, of a DoFn with states or timers. */
  entry: Entry | undefined;
  /** Time and window of the current element, timer or key. */
  timestamp: Instant | undefined;
  private windows: Window[] = [];
  private currentPane: PaneInfo = NO_FIRING;
  /** The method that runs. */
  private method: string | undefined;
  private pending: Promise<void>[] = [];
  /** The first failure of a step that follows, also when the DoFn has caught the error. */
  failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly stepName: string,
    private readonly receivers: ReadonlyMap<string, Receiver>,
    private readonly isGloballyWindowed: boolean,
    readonly timers: Readonly<Record<string, unknown>>,
  ) {}

  startBundle(bundleId: string): void {
    this.bundleId = bundleId;
    this.pending = [];
    this.failure = undefined;
    this.leave();
  }

  /** Called before a method that processes an input. */
  enter(
    method: string,
    timestamp: Instant | undefined,
    windows: Window[],
    pane: PaneInfo,
    entry: Entry | undefined,
  ): void {
    this.method = method;
    this.timestamp = timestamp;
    this.windows = windows;
    this.currentPane = pane;
    this.entry = entry;
    if (entry) this.state = entry.cells;
  }

  /** Called before a method that has no input. */
  enterBundleMethod(method: string): void {
    this.enter(method, undefined, [], NO_FIRING, undefined);
  }

  /** Called after a method has returned. */
  leave(): void {
    this.method = undefined;
    this.entry = undefined;
  }

  get timestampMs(): number {
    if (!this.timestamp) throw new Error(`${this.stepName}: ${this.method} has no time`);
    return this.timestamp.toNumber();
  }
  get window(): Window {
    const [window] = this.windows;
    if (!window) throw new Error(`${this.stepName}: ${this.method} has no window`);
    return window;
  }
  get pane(): PaneInfo {
    return this.currentPane;
  }
  get key(): unknown {
    return this.entry?.key;
  }

  /** The error for the use of a state, a timer or an output outside of a method. */
  outsideError(what: string): Error {
    return new Error(`${this.stepName}: ${what} after the method had returned`);
  }

  output(value: unknown, options?: OutputOptions | FinishBundleOutputOptions): void {
    this.emit("main", value, options);
  }
  outputTo(tag: string, value: unknown, options?: OutputOptions | FinishBundleOutputOptions): void {
    this.emit(tag, value, options);
  }

  private emit(tag: string, value: unknown, options?: OutputOptions | FinishBundleOutputOptions): void {
    const result = this.send(tag, value, options);
    if (result === NonPromise) return;
    result.catch((error: unknown) => (this.failure ??= { error }));
    this.pending.push(result);
  }

  /** Hands an output to the steps that follow; the result resolves when they have processed it. */
  send(tag: string, value: unknown, options?: OutputOptions | FinishBundleOutputOptions): ProcessResult {
    const { stepName, method } = this;
    if (method === undefined) throw this.outsideError("a DoFn emitted an output");
    const receiver = this.receivers.get(tag);
    if (!receiver) {
      throw new Error(`${stepName}: the DoFn has no output ${tag}; it has ${[...this.receivers.keys()].join(", ")}`);
    }
    const timestamp =
      options && "timestampMs" in options
        ? toTimestamp(options.timestampMs as number, `${stepName}: the time of an output`)
        : this.timestamp;
    if (!timestamp) throw new RangeError(`${stepName}: an output of ${method} needs a time`);
    const windows = this.windows.length ? this.windows : [this.windowOf(options)];
    try {
      return receiver.receive({ value, windows, pane: this.currentPane, timestamp });
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }

  private windowOf(options: OutputOptions | FinishBundleOutputOptions | undefined): Window {
    const window = options && "window" in options ? options.window : undefined;
    if (window) return window;
    if (this.isGloballyWindowed) return GLOBAL_WINDOW;
    throw new Error(`${this.stepName}: an output of ${this.method} needs a window, because the input is windowed`);
  }

  /** The outputs that the steps that follow have not processed yet. */
  takePending(): ProcessResult {
    if (!this.pending.length) return NonPromise;
    const { pending } = this;
    this.pending = [];
    return pending.length === 1 ? (pending[0] as Promise<void>) : Promise.all(pending).then(() => undefined);
  }
}
