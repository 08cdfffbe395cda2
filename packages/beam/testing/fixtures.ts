/** DoFns for the tests of this package, in a registered module that workers can load. */
import "../sdk";
import { appendFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { MultiplexingDataChannel, type IDataChannel } from "apache-beam/worker/data";
import { Worker } from "apache-beam/worker/worker";
import type { KV, WindowedValue } from "apache-beam/values";
import { clockNow, msBetween } from "../metrics/clock";
import { bagState, counter, distribution, foldedState, gauge, gaugeFrom, stringCoder, valueState } from "../index";
import type {
  BagCell,
  BundleDoFn,
  CellsOf,
  Emit,
  EmitTimestamped,
  FoldedCell,
  ProcessContext,
  Residual,
  SplittableDoFn,
  StatefulDoFn,
  StateDeclaration,
  ValueCell,
} from "../index";
import { registerModule } from "../registerModule";

/** Appends each element to a file as a line of JSON: shows a test the output of workers. */
export class AppendToFile implements BundleDoFn<unknown, string> {
  private lines: string[] = [];
  constructor(private readonly file: string) {}
  startBundle(): void {
    this.lines = [];
  }
  process(element: unknown): void {
    this.lines.push(JSON.stringify(element) + "\n");
  }
  finishBundle(): void {
    if (this.lines.length) appendFileSync(this.file, this.lines.join(""));
  }
}

/** Adds a gauge, and fails. */
export class FailWithGauge implements BundleDoFn<string, string> {
  constructor(readonly value: number) {}
  process(): void {
    gaugeFrom("test", () => this.value);
    throw new Error("the bundle\nfails");
  }
  finishBundle(): void {}
}

/** `"a=1"` -> KV("a", "1"). */
export class SplitPair {
  *process(text: string): Iterable<KV<string, string>> {
    const [key = "", value = ""] = text.split("=");
    yield { key, value };
  }
}

/** `KV(key, values)` -> `[key, sorted values]`. */
export class SortGroup {
  *process({ key, value }: KV<string, Iterable<string>>): Iterable<[string, string[]]> {
    yield [key, [...value].sort()];
  }
}

type SumStates = {
  sum: StateDeclaration<ValueCell<string>>;
  seen: StateDeclaration<BagCell<string>>;
  set: StateDeclaration<FoldedCell<Set<string>, string>>;
};

/** Sums numbers for each key in each kind of state, and emits `key=sum,count of all,count of distinct` for each bundle. */
export class SumPerKey implements StatefulDoFn<string, string, SumStates> {
  states(): SumStates {
    return {
      sum: valueState(stringCoder),
      seen: bagState(stringCoder),
      set: foldedState<Set<string>, string>({
        coder: stringCoder,
        create: () => new Set(),
        fold: (state, record) => void record.split(",").forEach((v) => state.add(v)),
        snapshot: (state) => [[...state].join(",")],
        entries: (record) => record.split(",").length,
        size: (state) => state.size,
        weight: (state) => 50 * state.size,
      }),
    };
  }
  process(_key: string, value: string, { sum, seen, set }: CellsOf<SumStates>): void {
    sum.write(String(Number(sum.read() ?? 0) + Number(value)));
    seen.add(value);
    if (!set.state.has(value)) {
      set.state.add(value);
      set.log(value);
    }
  }
  *finishKey(key: string, { sum, seen, set }: CellsOf<SumStates>): Iterable<string> {
    yield `${key}=${sum.read()},${seen.read().length},${set.state.size}`;
  }
}

type SetStates = { set: StateDeclaration<FoldedCell<Set<string>, string>> };

/** Counts the distinct values of each key. Its state is small enough for the packed part of the cache. */
export class CountDistinct implements StatefulDoFn<string, string, SetStates> {
  states(): SetStates {
    return { set: new SumPerKey().states().set };
  }
  process(key: string, value: string, { set }: CellsOf<SetStates>): string[] {
    if (!set.state.has(value)) {
      set.state.add(value);
      set.log(value);
    }
    return [`${key} ${[...set.state].sort().join()}`];
  }
}

/**
 * Numbers below `count`, `perCall` in each call of `process`, with the number as text; event times 1 s apart. A call takes
 * `callMs`.
 */
export class CountingSource implements SplittableDoFn<string, { next: number }> {
  constructor(
    private readonly count: number,
    private readonly perCall: number,
    private readonly finalizeLog: string,
    private readonly callMs = 0,
  ) {}
  restrictions(): { next: number }[] {
    return [{ next: 0 }];
  }
  async process(
    { next }: { next: number },
    context: ProcessContext<string>,
  ): Promise<Residual<{ next: number }> | undefined> {
    const end = Math.min(this.count, next + this.perCall);
    if (this.callMs) await new Promise((resolve) => setTimeout(resolve, this.callMs));
    for (let i = next; i < end; i++) await context.emit(`k${i % 7}=${i}`, i * 1000);
    context.onFinalize({
      commit: () => appendFileSync(this.finalizeLog, `${next}-${end}\n`),
      abort: () => appendFileSync(this.finalizeLog, `abort ${next}-${end}\n`),
    });
    if (end === this.count) {
      // Keeps the restriction, so that the job keeps running and finalizes.
      return { restriction: { next: end }, watermarkMs: end * 1000, resumeDelayMs: 1000 };
    }
    return { restriction: { next: end }, watermarkMs: end * 1000, resumeDelayMs: 0 };
  }
}

/** The calls of the finalizers of {@link OneElement} in this process. */
export const finalizerCalls: string[] = [];

/**
 * Emits its restriction, a text, and leaves a residual with a `+` added; `fail` throws, `wait` runs until aborted, `stubborn`
 * ignores that it is aborted for a while, and the finalizer of `bad` throws.
 */
export class OneElement implements SplittableDoFn<string, string> {
  restrictions(): string[] {
    return [];
  }
  async process(restriction: string, context: ProcessContext<string>): Promise<Residual<string>> {
    context.onFinalize({
      commit: (checkpoint) => {
        const of = checkpoint === undefined ? "" : ` in checkpoint ${checkpoint}`;
        finalizerCalls.push(`commit ${restriction}${of}`);
        if (restriction === "bad") throw new Error("this finalizer fails");
      },
      abort: () => {
        finalizerCalls.push(`abort ${restriction}`);
        if (restriction === "bad") throw new Error("this finalizer fails");
      },
    });
    if (restriction === "fail") throw new Error("this restriction fails");
    if (restriction === "stubborn") {
      await new Promise((resolve) => setTimeout(resolve, 300));
      finalizerCalls.push("stopped stubborn");
    }
    while (restriction === "wait") {
      if (context.aborted) {
        finalizerCalls.push("stopped wait");
        throw context.aborted;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await context.emit(restriction, 0);
    return { restriction: `${restriction}+`, watermarkMs: 1234, resumeDelayMs: 250 };
  }
}

/** Several restrictions, one number in each call of `process`; texts `<restriction>=<number>@<epoch ms>`, in order. */
export class TickingSource implements SplittableDoFn<string, { id: number; next: number }> {
  constructor(
    private readonly count: number,
    private readonly numbers: number,
    private readonly resumeDelayMs: number,
  ) {}
  restrictions(): { id: number; next: number }[] {
    return Array.from({ length: this.count }, (_, id) => ({ id, next: 0 }));
  }
  async process(
    { id, next }: { id: number; next: number },
    context: ProcessContext<string>,
  ): Promise<Residual<{ id: number; next: number }>> {
    // Keeps the restriction when everything is read, so that the job keeps taking checkpoints.
    if (next === this.numbers) return { restriction: { id, next }, watermarkMs: next, resumeDelayMs: 500 };
    await context.emit(`${id}=${next}@${Date.now()}`, next);
    return { restriction: { id, next: next + 1 }, watermarkMs: next + 1, resumeDelayMs: this.resumeDelayMs };
  }
}

/** Throws, or kills its process, at the nth element; only while the marker file does not exist. */
export class FailOnce implements BundleDoFn<string, string> {
  private count = 0;
  constructor(
    private readonly at: number,
    private readonly how: "throw" | "kill",
    private readonly marker: string,
  ) {}
  process(element: string, emit: Emit<string>): void {
    if (++this.count >= this.at && !existsSync(this.marker)) {
      writeFileSync(this.marker, "");
      if (this.how === "kill") process.kill(process.pid, "SIGKILL");
      throw new Error("this element is the one that throws");
    }
    emit(element);
  }
}

/**
 * A moment in which a worker dies: when it loads the modules, or has got its first instruction and opens its data stream. The
 * last one needs two workers: the second one dies while the first one still loads its modules.
 */
export type EarlyDeath = "loading modules" | "opening the data stream" | "another worker is loading modules";

/** Environment variables with an {@link EarlyDeath} and its marker file. */
const DEATH = { moment: "BEAM_TEST_DIE_WHEN", marker: "BEAM_TEST_DIE_ONCE" };

/** The environment of a worker that dies once. The marker file exists afterwards. */
export const dieOnce = (moment: EarlyDeath, marker: string): Record<string, string> => ({
  [DEATH.moment]: moment,
  [DEATH.marker]: marker,
});

/** A worker needs this much longer to load its modules, ms. */
const LOADING_MS = 2000;

/** While true, nothing that this worker sends on its data stream reaches the runner. */
let withholdsData = false;

/** A worker can only die in these moments if its channels wait for it. */
function prepareDeath(): void {
  type GetSendChannel = (this: MultiplexingDataChannel, bundleId: string, transformId: string) => IDataChannel;
  const original: GetSendChannel = Reflect.get<MultiplexingDataChannel, "getSendChannel">(
    MultiplexingDataChannel.prototype,
    "getSendChannel",
  );
  MultiplexingDataChannel.prototype.getSendChannel = function (bundleId, transformId) {
    const channel = original.call(this, bundleId, transformId);
    return {
      sendData: (data) => (withholdsData ? Promise.resolve() : channel.sendData(data)),
      sendTimers: (family, timers) => channel.sendTimers(family, timers),
      close: () => (withholdsData ? undefined : channel.close()),
      onError: (error) => channel.onError(error),
    };
  };
  const marker = process.env[DEATH.marker];
  if (marker === undefined || existsSync(marker)) return;
  const die = (): never => {
    writeFileSync(marker, "");
    process.kill(process.pid, "SIGKILL");
    throw new Error("unreachable");
  };
  const moment = process.env[DEATH.moment] as EarlyDeath | undefined;
  if (moment === "loading modules") die();
  if (moment === "another worker is loading modules") {
    const first = `${marker}.first`;
    try {
      writeFileSync(first, "", { flag: "wx" });
    } catch {
      die();
    }
    const wait = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(marker)) Atomics.wait(wait, 0, 0, 50);
    Atomics.wait(wait, 0, 0, LOADING_MS); // the runner cancels this start in the meantime
    return;
  }
  Worker.prototype.getDataChannel = die;
}
prepareDeath();

/**
 * Kills its worker `deaths` times, in bundles that contain the nth element: after the response of the bundle was sent, and
 * before the data of the bundle was. Appends a byte to the marker file for each death.
 */
export class DieBeforeEndOfData implements BundleDoFn<string, string> {
  private count = 0;
  private dies = false;
  constructor(
    private readonly at: number,
    private readonly deaths: number,
    private readonly marker: string,
  ) {}
  process(element: string, emit: Emit<string>): void {
    if (++this.count >= this.at) {
      const died = existsSync(this.marker) ? statSync(this.marker).size : 0;
      this.dies = died < this.deaths;
    }
    emit(element);
  }
  finishBundle(): void {
    if (!this.dies || withholdsData) return;
    withholdsData = true;
    appendFileSync(this.marker, "x");
    // Until then the response has been sent. The runner waits for the data.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 500);
  }
}

export class AlwaysThrow {
  *process(element: string): Iterable<string> {
    throw new Error(`cannot process ${element}`);
  }
}

/** Throws at this element. */
export class ThrowAt implements BundleDoFn<string, string> {
  constructor(private readonly at: string) {}
  process(element: string, emit: Emit<string>): void {
    if (element === this.at) throw new Error(`cannot process ${element}`);
    emit(element);
  }
}

/** The steps that have learnt of a failed bundle in this process, by name. */
export const failedSteps: string[] = [];

/** Emits its input; throws at `fail`. Records in {@link failedSteps} that a bundle has failed, and throws when told to. */
export class LearnsOfFailure implements BundleDoFn<string, string> {
  constructor(
    private readonly name: string,
    private readonly throws: boolean,
  ) {}
  process(element: string, emit: Emit<string>): void {
    if (element === "fail") throw new Error("this element fails");
    emit(element);
  }
  bundleFailed(): void {
    failedSteps.push(this.name);
    if (this.throws) throw new Error("bundleFailed fails");
  }
}

/** Waits during and at the end of a bundle, and then emits the number of its elements. */
export class SlowCount implements BundleDoFn<string, string> {
  private count = 0;
  startBundle(): void {
    this.count = 0;
  }
  async process(): Promise<void> {
    this.count++;
    if (this.count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  async finishBundle(emit: EmitTimestamped<string>): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    emit(String(this.count), 0);
  }
}

/** Emits its input. */
export class Identity implements BundleDoFn<string, string> {
  process(element: string, emit: Emit<string>): void {
    emit(element);
  }
}

/** Emits its input a moment later. */
export class SlowIdentity implements BundleDoFn<string, string> {
  async process(element: string, emit: Emit<string>): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    emit(element);
  }
}

/** The elements that {@link Widen} has processed in this process. */
export const widened: string[] = [];

/** Emits its input, padded to a width. */
export class Widen implements BundleDoFn<string, string> {
  constructor(private readonly width: number) {}
  process(element: string, emit: Emit<string>): void {
    widened.push(element);
    emit(element.padEnd(this.width, " "));
  }
}

/** An impulse becomes texts `0` to `count - 1`, each `width` characters wide. */
export class Numbers {
  constructor(
    private readonly count: number,
    private readonly width = 1,
  ) {}
  *process(_impulse: unknown): Iterable<string> {
    for (let i = 0; i < this.count; i++) yield String(i).padStart(this.width, "0");
  }
}

/** Reads nothing; its restrictions are texts. */
export class Truncated implements SplittableDoFn<string, string> {
  constructor(readonly isBounded: boolean) {}
  restrictions(): string[] {
    return [];
  }
  process(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** Leaves `<restriction> truncated` of a restriction that begins with `keep`, and nothing of others. */
export class TruncatesItself extends Truncated {
  truncate(restriction: string): string | undefined {
    return restriction.startsWith("keep") ? `${restriction} truncated` : undefined;
  }
}

const processed = counter("processed");
const lengths = distribution("lengths", "test");
const last = gauge("last");

/** Emits its input; counts it in `processed`, its length in `lengths`, and sets `last` to it when it is a number. */
export class Metered implements BundleDoFn<string, string> {
  process(element: string, emit: Emit<string>): void {
    processed.inc();
    lengths.update(element.length);
    if (Number(element)) last.set(Number(element));
    emit(element);
  }
}

/** Like {@link Metered}, in a DoFn of the SDK, with a metric of the SDK as well. */
export class MeteredSdk {
  *process(element: string, context: { readonly sdk: { increment(): void } }): Iterable<string> {
    processed.inc();
    context.sdk.increment();
    yield element;
  }
}

/** Emits its input; counts it in `processed` after an await. */
export class MeteredLater implements BundleDoFn<string, string> {
  async process(element: string, emit: Emit<string>): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    processed.inc();
    emit(element);
  }
}

/** Counts each element in `processed`, and emits it. */
export class MeteredPerKey implements StatefulDoFn<string, string, { sum: StateDeclaration<ValueCell<string>> }> {
  states(): { sum: StateDeclaration<ValueCell<string>> } {
    return { sum: valueState(stringCoder) };
  }
  *process(key: string, value: string): Iterable<string> {
    processed.inc();
    yield `${key}=${value}`;
  }
  *finishKey(): Iterable<string> {
    processed.inc(100);
  }
}

/** Counts its restriction in `processed` before and after an await, and emits it. */
export class MeteredSource implements SplittableDoFn<string, string> {
  restrictions(): string[] {
    return [];
  }
  async process(restriction: string, context: ProcessContext<string>): Promise<undefined> {
    processed.inc();
    await new Promise((resolve) => setTimeout(resolve, 5));
    processed.inc();
    await context.emit(restriction, 0);
  }
}

/** Holds the event loop for about 100 ms of the clock of execution times, and emits its input. */
export class Busy implements BundleDoFn<string, string> {
  process(element: string, emit: Emit<string>): void {
    const start = clockNow();
    while (msBetween(start, clockNow()) < 100);
    emit(element);
  }
}

/** A DoFn of the SDK that emits the size of a side input for each element. */
export class CountSideInput {
  *process(_element: string, context: { readonly side: { lookup(): Iterable<unknown> } }): Iterable<string> {
    yield String([...context.side.lookup()].length);
  }
}

export type { WindowedValue };

registerModule(module);
