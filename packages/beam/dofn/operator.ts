import "../sdk";
import Long from "long";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { KVCoder } from "apache-beam/coders/required_coders";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import type { KV, PaneInfo, Window, WindowedValue } from "apache-beam/values";
import { NonPromise, type OperatorContext, type ProcessResult, type Receiver } from "apache-beam/worker/operators";
import { runAsStep } from "../patches/metrics";
import { shouldYield, yieldToEventLoop, type ExtendedOperator } from "../patches/operators";
import { valueState, type StateDeclarations, type ValueState } from "../state/cells";
import { KeyedStates, type Entry } from "../state/keyedState";
import { MethodCall, NO_FIRING, StepOutputs } from "./context";
import type { DoFn, DoFnDeclarations } from "./doFn";
import type { StateExpiry } from "./expireState";
import { SideInputs } from "./sideInputs";
import type { TimerDeclarations } from "./timers";
import { toTimestamp } from "./timestamps";
import { WorkerTimers, type DueTimer } from "./workerTimers";

/** Name of the timer, and of the state with its time, of {@link StateExpiry}. */
export const EXPIRY = "__expiry";
/** Name of the timer for `onWindowExpiration`. */
export const WINDOW_END = "__windowEnd";
/** A timer of an expiry is set this part later than needed, so that not every bundle has to set it again. */
const EXPIRY_SLACK = 0.1;
/** Maximum number of elements that wait for state; their reads are in flight together. */
const MAX_QUEUE = 5000;

const GLOBAL_WINDOWS_URN = "beam:window_fn:global_windows:v1";

/** A DoFn of any type, and the declarations that its methods may use. */
export type AnyDoFn = DoFn<unknown, unknown>;

/** The states of a DoFn, with that of its expiry. */
export function allStates({ states, expire }: DoFnDeclarations): StateDeclarations {
  return expire?.time === "event" ? { ...states, [EXPIRY]: valueState(new VarIntCoder()) } : { ...states };
}

/** The timers of a DoFn, with those of the library. */
export function allTimers(
  { onWindowExpiration }: Pick<AnyDoFn, "onWindowExpiration">,
  { timers, expire }: DoFnDeclarations,
): TimerDeclarations {
  return {
    ...timers,
    ...(expire && { [EXPIRY]: { domain: expire.time } }),
    ...(onWindowExpiration && { [WINDOW_END]: { domain: "event" } }),
  };
}

/** Whether a DoFn works by key. */
export function isKeyed(doFn: AnyDoFn, declarations: DoFnDeclarations): boolean {
  return (
    Object.keys(allStates(declarations)).length + Object.keys(allTimers(doFn, declarations)).length > 0 ||
    doFn.finishKey !== undefined
  );
}

type QueuedInput = { readonly entry: Entry } & (
  | { readonly element: WindowedValue<unknown>; readonly timer?: undefined }
  | { readonly timer: DueTimer; readonly element?: undefined }
);

/** What the proto of a step says about its main input. */
interface Input {
  /** The coder of the bundle descriptor, including length prefixes that the runner has added. */
  readonly coderId: string;
  readonly windowing: runnerApi.WindowingStrategy;
}

function inputOf(
  transform: runnerApi.PTransform,
  spec: runnerApi.ParDoPayload,
  { descriptor }: OperatorContext,
): Input {
  const [, id = ""] = Object.entries(transform.inputs).find(([tag]) => !(tag in spec.sideInputs)) ?? [];
  const { coderId, windowingStrategyId } = descriptor.pcollections[id] as runnerApi.PCollection;
  return { coderId, windowing: descriptor.windowingStrategies[windowingStrategyId] as runnerApi.WindowingStrategy };
}

/** Runs a {@link DoFn} in a worker. */
export class DoFnOperator implements ExtendedOperator {
  /** Elements may be in flight when the runner requests a split, and a split within a key would lose state updates. */
  readonly refusesSplits = true;
  readonly readsLargeIterables: boolean;
  readonly onlyQueues: boolean;
  private readonly outputs: StepOutputs;
  private readonly states: KeyedStates | undefined;
  private readonly timers: WorkerTimers | undefined;
  private readonly sideInputs: SideInputs | undefined;
  private readonly expire: StateExpiry | undefined;
  private isSetUp = false;
  /** Set while an element is being processed: the next one waits for it. */
  private tail: ProcessResult = NonPromise;
  private finishing: Promise<void> | undefined;
  /** Inputs of a keyed DoFn that wait for their state. */
  private queue: QueuedInput[] = [];
  /** Ends of windows. They follow everything else of the bundle. */
  private windowEnds: QueuedInput[] = [];

  /** @param doFn a deserialized DoFn. Its declarations may be those of a layer above it */
  constructor(
    readonly transformId: string,
    transform: runnerApi.PTransform,
    spec: runnerApi.ParDoPayload,
    private readonly operatorContext: OperatorContext,
    private readonly doFn: AnyDoFn,
    declarations: DoFnDeclarations,
  ) {
    this.readsLargeIterables = doFn.readsLargeIterables ?? false;
    const stepName = transform.uniqueName || transformId;
    const { coderId, windowing } = inputOf(transform, spec, operatorContext);
    const isGloballyWindowed = windowing.windowFn?.urn === GLOBAL_WINDOWS_URN;
    const receivers = new Map<string, Receiver>();
    for (const [tag, id] of Object.entries(transform.outputs)) receivers.set(tag, operatorContext.getReceiver(id));
    // A runner may have renamed the output of a step that has only one.
    const [only] = !declarations.outputs && receivers.size === 1 ? receivers.values() : [];
    if (only) receivers.set("main", only);
    this.expire = declarations.expire;
    const timers = allTimers(doFn, declarations);
    if (Object.keys(timers).length) {
      const lateness = Long.fromString(windowing.allowedLateness.toString());
      const expiryOf = (window: Window): Long | undefined =>
        isGloballyWindowed ? undefined : window.maxTimestamp().add(lateness);
      this.timers = new WorkerTimers(transformId, spec, operatorContext, timers, stepName, expiryOf);
    }
    this.outputs = new StepOutputs(stepName, receivers, isGloballyWindowed);
    if (isKeyed(doFn, declarations)) {
      const { pipelineContext } = operatorContext;
      const coder: unknown = pipelineContext.getCoder(coderId);
      if (!(coder instanceof KVCoder)) throw new Error(`${stepName}: the input of a keyed DoFn must have a KV coder`);
      const { keyCoder } = coder as KVCoder<unknown, unknown>;
      const windowCoder = pipelineContext.getCoder<Window>(windowing.windowCoderId);
      this.states = new KeyedStates(transformId, operatorContext, allStates(declarations), keyCoder, windowCoder);
    }
    this.onlyQueues = this.states !== undefined;
    if (declarations.sideInputs) {
      this.sideInputs = new SideInputs(
        transformId,
        transform,
        spec,
        operatorContext,
        declarations.sideInputs,
        stepName,
      );
    }
  }

  async startBundle(): Promise<void> {
    this.tail = NonPromise;
    this.finishing = undefined;
    this.queue = [];
    this.windowEnds = [];
    this.outputs.startBundle(this.operatorContext.getBundleId());
    this.states?.startBundle();
    this.sideInputs?.startBundle();
    this.timers?.startBundle((key, window, timer) => {
      const entry = this.states?.entryOf(window, key) as Entry;
      (timer.name === WINDOW_END ? this.windowEnds : this.queue).push({ entry, timer });
    });
    if (!this.isSetUp) {
      this.isSetUp = true;
      await this.doFn.setup?.();
    }
    await this.doFn.startBundle?.(new MethodCall(this.outputs, "startBundle()"));
  }

  process(element: WindowedValue<unknown>): ProcessResult {
    if (this.states) return this.processKeyed(element, this.states);
    if (this.tail !== NonPromise) return this.chain(() => this.processUnkeyed(element));
    return this.hold(this.processUnkeyed(element));
  }

  /** Makes the next element wait for a result. */
  private hold(result: ProcessResult): ProcessResult {
    if (result === NonPromise) return result;
    const tail: Promise<void> = result.then(() => {
      if (this.tail === tail) this.tail = NonPromise;
    });
    return (this.tail = tail);
  }

  private chain(step: () => ProcessResult): ProcessResult {
    return this.hold((this.tail as Promise<void>).then(step).then(() => undefined));
  }

  private processUnkeyed(element: WindowedValue<unknown>): ProcessResult {
    const { windows } = element;
    const window = windows[0] as Window;
    if (windows.length > 1 || this.sideInputs?.isMissing(window)) return this.processWindows(element);
    return this.callProcess(element, windows, undefined);
  }

  /** Processes an element once for each of its windows, with the side inputs of the window. */
  private async processWindows(element: WindowedValue<unknown>): Promise<void> {
    for (const window of element.windows) {
      await this.sideInputs?.load(window);
      const result = this.callProcess(element, [window], undefined);
      if (result !== NonPromise) await result;
    }
  }

  private callProcess(
    { value, timestamp, pane }: WindowedValue<unknown>,
    windows: Window[],
    entry: Entry | undefined,
  ): ProcessResult {
    const call = this.newCall("process()", timestamp, windows, pane, entry);
    return this.settle(call, this.doFn.process(value, call as never));
  }

  private newCall(
    method: string,
    timestamp: Long | undefined,
    windows: Window[],
    pane: PaneInfo,
    entry: Entry | undefined,
  ): MethodCall {
    const sideInputs = this.sideInputs?.of(windows[0] as Window);
    return new MethodCall(this.outputs, method, timestamp, windows, pane, entry, sideInputs, this.timers?.handlesFor);
  }

  /** Emits what a method has returned, and ends its call. */
  private settle(call: MethodCall, result: unknown): ProcessResult {
    if (result === undefined || result === null) {
      call.close();
      return this.outputs.takePending();
    }
    if (result instanceof Promise) return this.settleLater(call, result);
    const sent = this.emitAll(call, result);
    if (sent !== NonPromise) return this.settleLater(call, sent);
    call.close();
    return this.outputs.takePending();
  }

  private async settleLater(call: MethodCall, result: Promise<unknown>): Promise<void> {
    try {
      const values = await result;
      if (values !== undefined && values !== null) await this.emitAll(call, values);
    } finally {
      call.close();
    }
    const pending = this.outputs.takePending();
    if (pending !== NonPromise) await pending;
  }

  private emitAll(call: MethodCall, values: unknown): ProcessResult {
    if (typeof values === "object" && values !== null) {
      if (Symbol.iterator in values) return this.emitIterable(call, values as Iterable<unknown>);
      if (Symbol.asyncIterator in values) return this.emitAsync(call, values as AsyncIterable<unknown>);
    }
    throw new TypeError(`${this.outputs.stepName}: ${call.method} returned ${typeof values}, not outputs`);
  }

  /** Emits values without waiting while no step that follows waits. */
  private emitIterable(call: MethodCall, values: Iterable<unknown>): ProcessResult {
    const iterator = values[Symbol.iterator]();
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      const sent = this.outputs.send(call, "main", next.value);
      if (sent !== NonPromise) return this.emitRest(call, sent, iterator);
    }
    return NonPromise;
  }

  private async emitRest(call: MethodCall, first: Promise<void>, iterator: Iterator<unknown>): Promise<void> {
    await first;
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      const sent = this.outputs.send(call, "main", next.value);
      if (sent !== NonPromise) await sent;
    }
  }

  private async emitAsync(call: MethodCall, values: AsyncIterable<unknown>): Promise<void> {
    for await (const value of values) {
      const sent = this.outputs.send(call, "main", value);
      if (sent !== NonPromise) await sent;
    }
  }

  private processKeyed(element: WindowedValue<unknown>, states: KeyedStates): ProcessResult {
    const { key } = element.value as KV<unknown, unknown>;
    for (const window of element.windows) this.queue.push({ element, entry: states.entryOf(window, key) });
    if (this.queue.length < MAX_QUEUE) return NonPromise;
    if (this.tail !== NonPromise) return this.tail;
    return this.hold(runAsStep(this.operatorContext, this.transformId, () => this.drain()) ?? NonPromise);
  }

  /** Processes the queue, in order. */
  private async drain(): Promise<void> {
    while (this.queue.length) {
      const { queue } = this;
      this.queue = [];
      for (const input of queue) {
        const { entry } = input;
        if (entry.loading) {
          await entry.loading;
          entry.loading = undefined;
        }
        if (this.sideInputs?.isMissing(entry.window)) await this.sideInputs.load(entry.window);
        const result = input.timer ? this.fireTimer(entry, input.timer) : this.processElement(entry, input.element);
        if (result !== NonPromise) await result;
        if (shouldYield()) await yieldToEventLoop();
      }
    }
  }

  private processElement(entry: Entry, element: WindowedValue<unknown>): ProcessResult {
    entry.pane = element.pane;
    entry.timestamp = element.timestamp;
    if (this.doFn.onWindowExpiration) this.timers?.setWindowEnd(entry, WINDOW_END);
    if (this.expire) entry.newestMs = Math.max(entry.newestMs ?? -Infinity, element.timestamp.toNumber());
    return this.callProcess(element, [entry.window], entry);
  }

  private async fireTimer(entry: Entry, timer: DueTimer): Promise<void> {
    const timers = this.timers as WorkerTimers;
    for (let due = timers.takeDueBefore(entry, timer); due; due = timers.takeDueBefore(entry, timer)) {
      await this.callTimer(entry, due);
    }
    if (timers.wasChanged(entry, timer)) return;
    // An element of the bundle may have set it again to the same time.
    timers.forget(entry, timer);
    await this.callTimer(entry, timer);
  }

  private callTimer(entry: Entry, { name, tag, fire, hold, pane }: DueTimer): ProcessResult {
    if (name === EXPIRY) {
      this.expireStates(entry, fire.toNumber());
      return NonPromise;
    }
    const { doFn } = this;
    if (name === WINDOW_END) return this.expireWindow(entry, hold, pane);
    if (!doFn.onTimer) throw new Error(`${this.transformId}: the DoFn has no method onTimer for the timer ${name}`);
    entry.pane = pane;
    entry.timestamp = WorkerTimers.timeOf(hold);
    const call = this.newCall("onTimer()", entry.timestamp, [entry.window], pane, entry);
    const fired = { name, tag, fireTimestampMs: fire.toNumber() };
    return this.settle(call, doFn.onTimer(fired as never, call as never));
  }

  private expireWindow(entry: Entry, hold: Long, pane: PaneInfo): ProcessResult {
    entry.pane = pane;
    entry.timestamp = WorkerTimers.timeOf(hold);
    const call = this.newCall("onWindowExpiration()", entry.timestamp, [entry.window], pane, entry);
    return this.settle(call, this.doFn.onWindowExpiration?.(call as never));
  }

  private expiryState(entry: Entry): ValueState<number> | undefined {
    return entry.cells[EXPIRY] as ValueState<number> | undefined;
  }

  private expireStates(entry: Entry, fireMs: number): void {
    // An earlier bundle may have set the timer anew after the runner had sent it.
    if ((this.expiryState(entry)?.read() ?? fireMs) > fireMs) return;
    entry.clearStates();
    entry.expiresAtMs = undefined;
    entry.newestMs = undefined;
  }

  /** Sets the timer of the expiry for a key with elements, unless it is late enough. */
  private scheduleExpiry(entry: Entry, { afterMs, time }: StateExpiry): void {
    if (entry.newestMs === undefined) return;
    const state = this.expiryState(entry);
    const lastMs = time === "event" ? entry.newestMs : Date.now();
    if ((state?.read() ?? entry.expiresAtMs ?? -Infinity) >= lastMs + afterMs) return;
    const fireMs = Math.ceil(lastMs + afterMs * (1 + EXPIRY_SLACK));
    entry.expiresAtMs = fireMs;
    state?.write(fireMs);
    this.timers?.setInternal(
      entry,
      EXPIRY,
      toTimestamp(fireMs, `${this.transformId}: the time at which state expires`),
    );
  }

  finishBundle(): Promise<void> {
    return (this.finishing = this.finish());
  }

  private async finish(): Promise<void> {
    const { doFn, outputs, states, timers } = this;
    if (this.tail !== NonPromise) await this.tail;
    if (states) {
      await timers?.received();
      await this.drain();
      this.queue = this.windowEnds;
      await this.drain();
      await this.finishKeys(states);
    }
    const call = new MethodCall(outputs, "finishBundle()");
    if (doFn.finishBundle) await doFn.finishBundle(call as never);
    call.close();
    const pending = outputs.takePending();
    if (pending !== NonPromise) await pending;
    // A DoFn may have caught the error of a step that follows; the bundle fails nevertheless.
    if (outputs.failure) throw outputs.failure.error;
    if (!states) return;
    await states.save();
    await timers?.finishBundle(states.entries());
  }

  private async finishKeys(states: KeyedStates): Promise<void> {
    const { doFn, expire } = this;
    for (const entry of states.entries()) {
      if (doFn.finishKey) {
        const call = this.newCall("finishKey()", entry.timestamp, [entry.window], entry.pane ?? NO_FIRING, entry);
        const result = this.settle(call, doFn.finishKey(entry.key as never, call as never));
        if (result !== NonPromise) await result;
      }
      if (expire) this.scheduleExpiry(entry, expire);
    }
  }

  abort(error: Error): void {
    this.doFn.bundleFailed?.(error);
  }

  /** Resolves when the methods that were running have ended. */
  settled(): Promise<unknown> {
    return Promise.allSettled([this.tail, this.finishing]);
  }

  bundleEnded(succeeded: boolean): void {
    this.states?.bundleEnded(succeeded);
    this.queue = [];
  }

  async teardown(): Promise<void> {
    if (!this.isSetUp) return;
    this.isSetUp = false;
    await this.doFn.teardown?.();
  }
}
