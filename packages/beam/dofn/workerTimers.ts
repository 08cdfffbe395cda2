import "../sdk";
import protobufjs from "protobufjs";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Instant, PaneInfo, Window } from "apache-beam/values";
import { NonPromise, type OperatorContext } from "apache-beam/worker/operators";
import { TimerCoder, type EncodedTimer } from "../coders/timer";
import { openTimerStream, type TimerStream } from "../patches/dataChannel";
import type { Entry, TimerChange } from "../state/keyedState";
import { NO_FIRING, type MethodCall } from "./context";
import { MAX_TIMESTAMP, toTimestamp } from "./timestamps";
import type { Timer, TimerDeclaration, TimerDeclarations, TimerOptions } from "./timers";

/** Bytes of timers that are sent together. */
const MAX_MESSAGE_BYTES = 1_000_000;

/** The output timestamp of a timer that does not hold the watermark. Beam's Java SDK uses the same. */
export const NO_HOLD: Instant = MAX_TIMESTAMP.add(1);

/** A timer that the runner fires, or that was set in this bundle and is due. */
export interface DueTimer {
  readonly name: string;
  readonly tag: string;
  readonly fire: Instant;
  readonly hold: Instant;
  readonly pane: PaneInfo;
}

const changeId = (name: string, tag: string): string => `${name.length}:${name}${tag}`;

/** Sets and clears the timers of one family. */
class FamilyTimer implements Timer {
  constructor(
    private readonly stepName: string,
    private readonly name: string,
    private readonly declaration: TimerDeclaration,
    private readonly call: MethodCall,
    private readonly expiryOf: (window: Window) => Instant | undefined,
  ) {}

  private entry(): Entry {
    this.call.checkOpen(`used the timer ${this.name}`);
    return this.call.entry as Entry;
  }

  set(timeMs: number, options?: TimerOptions): void {
    this.setTo(toTimestamp(timeMs, `${this.stepName}: the time of the timer ${this.name}`), options);
  }

  setRelative(afterMs: number, options?: TimerOptions): void {
    const from = this.declaration.domain === "processing" ? Date.now() : (this.call.timestamp?.toNumber() ?? NaN);
    let fire = toTimestamp(from + afterMs, `${this.stepName}: the time of the timer ${this.name}`);
    const expiry = this.declaration.domain === "event" ? this.expiryOf(this.entry().window) : undefined;
    if (expiry?.lessThan(fire)) fire = expiry;
    this.setTo(fire, options);
  }

  setToWindowEnd(options?: TimerOptions): void {
    if (this.declaration.domain !== "event") {
      throw new Error(`${this.stepName}: the timer ${this.name} is not in event time, so no window ends for it`);
    }
    this.setTo(this.entry().window.maxTimestamp(), options);
  }

  clear(tag = ""): void {
    this.change({ name: this.name, tag });
  }

  private setTo(fire: Instant, options: TimerOptions = {}): void {
    const entry = this.entry();
    const isEvent = this.declaration.domain === "event";
    const expiry = this.expiryOf(entry.window);
    if (isEvent && expiry?.lessThan(fire)) throw this.rangeError("its time", fire, "the end of its window", expiry);
    const hold = this.holdOf(fire, options.outputTimestampMs);
    if (!hold.equals(NO_HOLD)) {
      if (isEvent && hold.greaterThan(fire)) throw this.rangeError("its output timestamp", hold, "its time", fire);
      if (expiry?.lessThan(hold)) throw this.rangeError("its output timestamp", hold, "the end of its window", expiry);
    }
    this.change({ name: this.name, tag: options.tag ?? "", set: { fire, hold, pane: NO_FIRING } });
  }

  private rangeError(what: string, is: Instant, limitName: string, limit: Instant): RangeError {
    return new RangeError(
      `${this.stepName}: the timer ${this.name} cannot be set: ${what}, ${is.toString()} ms, is after ${limitName}, ` +
        `${limit.toString()} ms`,
    );
  }

  private holdOf(fire: Instant, outputTimestampMs: number | "none" | undefined): Instant {
    if (outputTimestampMs === "none") return NO_HOLD;
    if (outputTimestampMs !== undefined) {
      return toTimestamp(outputTimestampMs, `${this.stepName}: the output timestamp of the timer ${this.name}`);
    }
    if (this.declaration.domain === "event") return fire;
    return this.call.timestamp ?? NO_HOLD;
  }

  private change(change: TimerChange): void {
    const entry = this.entry();
    entry.timerChanges ??= new Map();
    entry.timerChanges.set(changeId(change.name, change.tag), change);
  }
}

/** The timers of one step, while it processes bundles. */
export class WorkerTimers {
  private readonly coders = new Map<string, TimerCoder<unknown>>();
  private streams = new Map<string, TimerStream>();

  /**
   * @param declarations with those of the library itself
   * @param expiryOf the time at which a window ends, allowed lateness included; undefined for the global window
   */
  constructor(
    private readonly transformId: string,
    spec: runnerApi.ParDoPayload,
    private readonly operatorContext: OperatorContext,
    private readonly declarations: TimerDeclarations,
    private readonly stepName: string,
    private readonly expiryOf: (window: Window) => Instant | undefined,
  ) {
    for (const name of Object.keys(declarations)) {
      const coderId = spec.timerFamilySpecs[name]?.timerFamilyCoderId ?? "";
      const coder: unknown = operatorContext.pipelineContext.getCoder(coderId);
      if (!(coder instanceof TimerCoder)) throw new Error(`${stepName}: the runner has no timer coder for ${name}`);
      this.coders.set(name, coder);
    }
  }

  /** What the context of a call has as `timers`. */
  readonly handlesFor = (call: MethodCall): Readonly<Record<string, Timer>> => {
    const handles: Record<string, Timer> = {};
    for (const [name, declaration] of Object.entries(this.declarations)) {
      handles[name] = new FamilyTimer(this.stepName, name, declaration, call, this.expiryOf);
    }
    return handles;
  };

  /** @param onTimer called for each timer that the runner fires, in its order */
  startBundle(onTimer: (key: unknown, window: Window, timer: DueTimer) => void): void {
    this.streams = new Map();
    for (const [name, coder] of this.coders) {
      const receive = (bytes: Uint8Array): void => {
        const reader = new protobufjs.Reader(bytes);
        while (reader.pos < reader.len) {
          const timer = coder.decode(reader);
          if (timer.clear) continue;
          const { key, tag, windows, fireTimestamp: fire, holdTimestamp: hold, pane } = timer;
          for (const window of windows) onTimer(key, window, { name, tag, fire, hold, pane });
        }
      };
      this.streams.set(name, openTimerStream(this.operatorContext, this.transformId, name, receive));
    }
  }

  /** Resolves when the runner has sent the last timer of the bundle. */
  async received(): Promise<void> {
    for (const { received } of this.streams.values()) await received;
  }

  /**
   * The timer of a key and window that was set in this bundle, in the same time domain, and is due before one that fires.
   * It counts as fired: for the runner it is cleared, unless it is set again.
   */
  takeDueBefore(entry: Entry, firing: DueTimer): DueTimer | undefined {
    if (!entry.timerChanges) return undefined;
    const domain = this.declarations[firing.name]?.domain;
    let due: DueTimer | undefined;
    for (const { name, tag, set, isLast } of entry.timerChanges.values()) {
      if (!set || isLast || this.declarations[name]?.domain !== domain || set.fire.greaterThan(firing.fire)) continue;
      if (name === firing.name && tag === firing.tag && set.fire.equals(firing.fire)) continue;
      if (!due || set.fire.lessThan(due.fire)) due = { name, tag, ...set };
    }
    if (due) entry.timerChanges.set(changeId(due.name, due.tag), { name: due.name, tag: due.tag });
    return due;
  }

  /** Whether a timer that the runner fires was cleared or set anew in this bundle, so that it does not fire. */
  wasChanged(entry: Entry, { name, tag, fire }: DueTimer): boolean {
    const change = entry.timerChanges?.get(changeId(name, tag));
    return change !== undefined && !change.set?.fire.equals(fire);
  }

  /** The event time of what a timer emits; undefined when it has none. */
  static timeOf(hold: Instant): Instant | undefined {
    return hold.greaterThan(MAX_TIMESTAMP) ? undefined : hold;
  }

  /**
   * Sets a timer of the library itself to the end of the window and its allowed lateness. Timers that are due in the bundle come
   * first. Until then, the watermark of the output waits at the end of the window.
   */
  setWindowEnd(entry: Entry, name: string): void {
    entry.timerChanges ??= new Map();
    const id = changeId(name, "");
    if (entry.timerChanges.has(id)) return;
    const hold = entry.window.maxTimestamp();
    const fire = this.expiryOf(entry.window) ?? hold;
    entry.timerChanges.set(id, { name, tag: "", set: { fire, hold, pane: NO_FIRING }, isLast: true });
  }

  /** Drops what was recorded for a timer in this bundle. */
  forget(entry: Entry, { name, tag }: DueTimer): void {
    entry.timerChanges?.delete(changeId(name, tag));
  }

  /** Records a timer of the library itself. */
  setInternal(entry: Entry, name: string, fire: Instant): void {
    entry.timerChanges ??= new Map();
    entry.timerChanges.set(changeId(name, ""), { name, tag: "", set: { fire, hold: NO_HOLD, pane: NO_FIRING } });
  }

  /** Sends the changes of the bundle, and ends its timers. */
  async finishBundle(entries: Iterable<Entry>): Promise<void> {
    const writers = new Map<string, protobufjs.Writer>();
    for (const { key, window, timerChanges } of entries) {
      for (const { name, tag, set } of timerChanges?.values() ?? []) {
        let writer = writers.get(name);
        if (!writer) writers.set(name, (writer = new protobufjs.Writer()));
        const timer: EncodedTimer<unknown> = set
          ? {
              key,
              tag,
              windows: [window],
              clear: false,
              fireTimestamp: set.fire,
              holdTimestamp: set.hold,
              pane: set.pane,
            }
          : { key, tag, windows: [window], clear: true };
        this.coders.get(name)?.encode(timer, writer);
        if (writer.len < MAX_MESSAGE_BYTES) continue;
        writers.delete(name);
        await this.send(name, writer);
      }
    }
    for (const [name, writer] of writers) await this.send(name, writer);
    for (const stream of this.streams.values()) await stream.close();
  }

  private async send(name: string, writer: protobufjs.Writer): Promise<void> {
    const result = this.streams.get(name)?.send(writer.finish());
    if (result !== undefined && result !== NonPromise) await result;
  }
}
