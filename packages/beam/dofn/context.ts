import "../sdk";
import { GlobalWindow, Timing, type Instant, type PaneInfo, type Window } from "apache-beam/values";
import { NonPromise, type ProcessResult, type Receiver } from "apache-beam/worker/operators";
import type { Entry } from "../state/keyedState";
import type { FinishBundleOutputOptions, OutputOptions } from "./doFn";
import type { Timer } from "./timers";
import { toTimestamp } from "./timestamps";

/** The pane of elements that no trigger has fired: of new elements, and of the outputs of timers and `finishBundle`. */
export const NO_FIRING: PaneInfo = { isFirst: true, isLast: true, timing: Timing.UNKNOWN, index: 0, onTimeIndex: 0 };

const GLOBAL_WINDOW = new GlobalWindow();
const NOTHING: Readonly<Record<string, never>> = {};

type Options = OutputOptions | FinishBundleOutputOptions;

/** The outputs of a step, while it processes bundles. */
export class StepOutputs {
  bundleId = "";
  private pending: Promise<void>[] = [];
  /** The first failure of a step that follows, also when the DoFn has caught the error. */
  failure: { readonly error: unknown } | undefined;

  constructor(
    readonly stepName: string,
    private readonly receivers: ReadonlyMap<string, Receiver>,
    private readonly isGloballyWindowed: boolean,
  ) {}

  startBundle(bundleId: string): void {
    this.bundleId = bundleId;
    this.pending = [];
    this.failure = undefined;
  }

  /** Hands an output to the steps that follow. {@link takePending} waits for them. */
  emit(call: MethodCall, tag: string, value: unknown, options?: Options): void {
    const result = this.send(call, tag, value, options);
    if (result === NonPromise) return;
    result.catch((error: unknown) => (this.failure ??= { error }));
    this.pending.push(result);
  }

  /** Hands an output to the steps that follow; the result resolves when they have processed it. */
  send(call: MethodCall, tag: string, value: unknown, options?: Options): ProcessResult {
    const { stepName } = this;
    call.checkOpen("emitted an output");
    const receiver = this.receivers.get(tag);
    if (!receiver) {
      throw new Error(`${stepName}: the DoFn has no output ${tag}; it has ${[...this.receivers.keys()].join(", ")}`);
    }
    const timestamp =
      options && "timestampMs" in options
        ? toTimestamp(options.timestampMs as number, `${stepName}: the time of an output`)
        : call.timestamp;
    if (!timestamp) throw new RangeError(`${stepName}: an output of ${call.method} needs a time`);
    const windows = call.windows.length ? call.windows : [this.windowOf(call, options)];
    try {
      return receiver.receive({ value, windows, pane: call.pane, timestamp });
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }

  private windowOf({ method }: MethodCall, options: Options | undefined): Window {
    const window = options && "window" in options ? options.window : undefined;
    if (window) return window;
    if (this.isGloballyWindowed) return GLOBAL_WINDOW;
    throw new Error(`${this.stepName}: an output of ${method} needs a window, because the input is windowed`);
  }

  /** The outputs that the steps that follow have not processed yet. */
  takePending(): ProcessResult {
    if (!this.pending.length) return NonPromise;
    const { pending } = this;
    this.pending = [];
    return pending.length === 1 ? (pending[0] as Promise<void>) : Promise.all(pending).then(() => undefined);
  }
}

/**
 * The context of one call of a method of a DoFn. Each call has its own, so that what a DoFn does after the method has
 * returned is an error, and never counts for another element.
 */
export class MethodCall {
  private isOpen = true;
  private timerHandles: Readonly<Record<string, Timer>> | undefined;

  /**
   * @param timestamp undefined: none
   * @param windows that of the input; none in `startBundle` and `finishBundle`
   * @param entry the entry of the key and window, of a keyed DoFn
   * @param createTimers creates what the DoFn sees as `timers`
   */
  constructor(
    private readonly outputs: StepOutputs,
    readonly method: string,
    readonly timestamp?: Instant,
    readonly windows: Window[] = [],
    readonly pane: PaneInfo = NO_FIRING,
    readonly entry?: Entry,
    readonly sideInputs: Readonly<Record<string, unknown>> = NOTHING,
    private readonly createTimers?: (call: MethodCall) => Readonly<Record<string, Timer>>,
  ) {}

  /** Called when the method has returned. */
  close(): void {
    this.isOpen = false;
  }

  /** @throws Error when the method has returned */
  checkOpen(what: string): void {
    if (this.isOpen) return;
    throw new Error(`${this.outputs.stepName}: a DoFn ${what} after ${this.method} had returned; await what it starts`);
  }

  get bundleId(): string {
    return this.outputs.bundleId;
  }
  get timestampMs(): number {
    if (!this.timestamp) throw new Error(`${this.outputs.stepName}: ${this.method} has no time`);
    return this.timestamp.toNumber();
  }
  get window(): Window {
    return this.windows[0] as Window;
  }
  get key(): unknown {
    return this.entry?.key;
  }
  get state(): Readonly<Record<string, unknown>> {
    return this.entry?.cells ?? NOTHING;
  }
  get timers(): Readonly<Record<string, Timer>> {
    return (this.timerHandles ??= this.createTimers?.(this) ?? NOTHING);
  }

  output(value: unknown, options?: Options): void {
    this.outputs.emit(this, "main", value, options);
  }
  outputTo(tag: string, value: unknown, options?: Options): void {
    this.outputs.emit(this, tag, value, options);
  }
}
