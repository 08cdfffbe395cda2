/** DoFns for the tests of `dofn/`, in a registered module that workers can load. */
import "../sdk";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Long from "long";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import type { CombineFn } from "apache-beam/transforms/group_and_combine";
import { IntervalWindow, type KV, type Window } from "apache-beam/values";
import {
  bagState,
  combiningState,
  eventTimer,
  expireState,
  iterableView,
  mapState,
  mapView,
  multimapView,
  processingTimer,
  setState,
  singletonView,
  stringCoder,
  valueState,
} from "../index";
import type {
  BundleDoFn,
  CellsOf,
  DoFn,
  DoFnDeclarations,
  ElementContext,
  Emit,
  EmitTimestamped,
  FinishBundleContext,
  FiredTimer,
  KeyContext,
  NoDeclarations,
  ProcessContext,
  Residual,
  SplittableDoFn,
  StatefulDoFn,
  TimerContext,
} from "../index";
import { registerModule } from "../registerModule";

const varInt = new VarIntCoder();
type Pair = KV<string, string>;
type Context = ElementContext<string>;

/** Calls of the methods of {@link Lifecycle} in this process. */
export const lifecycle: string[] = [];

/** Records the calls of its methods; the element `fail` throws. */
export class Lifecycle implements DoFn<string, string> {
  constructor(private readonly name: string) {}
  private record(call: string): void {
    lifecycle.push(`${this.name} ${call}`);
  }
  async setup(): Promise<void> {
    await sleep(1);
    this.record("setup");
  }
  async startBundle(): Promise<void> {
    await sleep(1);
    this.record("startBundle");
  }
  process(element: string): string[] | Promise<string[]> {
    this.record(`process ${element}`);
    if (element === "fail") throw new Error("this element fails");
    return [element];
  }
  finishBundle(): void {
    this.record("finishBundle");
  }
  bundleFailed(error: Error): void {
    this.record(`bundleFailed ${error.message}`);
  }
  async teardown(): Promise<void> {
    await sleep(1);
    this.record("teardown");
  }
}

/** As {@link Lifecycle}, but it processes an element until the test says that the bundle has failed. */
export class SlowLifecycle extends Lifecycle {
  static bundleHasFailed = false;
  override async process(element: string): Promise<string[]> {
    while (!SlowLifecycle.bundleHasFailed) await sleep(1);
    await sleep(20);
    lifecycle.push(`processed ${element}`);
    return [];
  }
}

/** Emits each letter of an element, at the times 1, 2, 3 … ms, without waiting for the next step. */
export class Letters implements DoFn<string, string> {
  process(element: string, context: Context): void {
    for (const [i, letter] of Array.from(element).entries()) context.output(letter, { timestampMs: i + 1 });
  }
}

/** Emits `<element>@<time>` after a wait; the first element waits longest. Throws when elements are processed concurrently. */
export class LateStamp implements DoFn<string, string> {
  private waitMs = 40;
  private running = 0;
  async process(element: string, context: Context): Promise<void> {
    if (++this.running > 1) throw new Error("two elements are processed concurrently");
    await sleep((this.waitMs /= 2));
    context.output(`${element}@${context.timestampMs}`);
    this.running--;
  }
}

/** As {@link LateStamp}, in the smaller form. */
export class LateEmit implements BundleDoFn<string, string> {
  private waitMs = 40;
  async process(element: string, emit: Emit<string>): Promise<void> {
    await sleep((this.waitMs /= 2));
    emit(element);
  }
}

/** Emits the number of its elements at the end of a bundle. */
export class CountAtEnd implements BundleDoFn<string, string> {
  private count = 0;
  startBundle(): void {
    this.count = 0;
  }
  process(): void {
    this.count++;
  }
  finishBundle(emit: EmitTimestamped<string>): void {
    emit(String(this.count), 7);
  }
}

const windowText = (window: Window): string =>
  window instanceof IntervalWindow ? `[${window.start.toString()}, ${window.end.toString()})` : "global";

/** Emits what the context says of the element. */
export class Describe implements DoFn<string, string> {
  *process(element: string, { timestampMs, window, pane }: Context): Iterable<string> {
    yield `${element} ${timestampMs} ${windowText(window)} ${pane.timing}`;
  }
}

/** Emits an element three times: by a generator that waits. */
export class Thrice implements DoFn<string, string> {
  async *process(element: string): AsyncIterable<string> {
    for (let i = 0; i < 3; i++) {
      await sleep(1);
      yield `${element}${i}`;
    }
  }
}

const tagged = { outputs: { long: stringCoder, length: varInt } };

/** Emits short words to the main output, long ones to `long`, and the length of each to `length`. */
export class SortWords implements DoFn<string, string, typeof tagged> {
  declare(): typeof tagged {
    return tagged;
  }
  process(word: string, context: ElementContext<string, typeof tagged>): void {
    if (word.length <= 3) context.output(word);
    else context.outputTo("long", word, { timestampMs: 99 });
    context.outputTo("length", word.length);
  }
}

/** Emits to an output that the element names. */
export class OutputToAny implements DoFn<string, string> {
  process(tag: string, context: Context): void {
    context.outputTo(tag as never, "x" as never);
  }
}

/** Emits in `finishBundle`, in the window [500, 600) or without one. */
export class EmitAtEnd implements DoFn<string, string> {
  constructor(private readonly withWindow: boolean) {}
  process(): void {}
  finishBundle(context: FinishBundleContext<string, NoDeclarations>): void {
    const window = new IntervalWindow(Long.fromNumber(500), Long.fromNumber(600));
    context.output("end", this.withWindow ? { timestampMs: 555, window } : { timestampMs: 555 });
  }
}

/** What {@link BadTime} does. */
export type BadTimeOf = "nan" | "undefined" | "huge" | "text" | "finish";

/** Emits with a time that is not valid. */
export class BadTime implements DoFn<string, string> {
  private readonly times: Record<string, unknown> = { huge: 1e16, text: "1" };
  process(what: string, context: Context): void {
    if (what === "finish") this.atEnd = true;
    else context.output(what, { timestampMs: what === "nan" ? Number("x") : (this.times[what] as number) });
  }
  private atEnd = false;
  finishBundle(context: FinishBundleContext<string, NoDeclarations>): void {
    if (this.atEnd) context.output("end", { timestampMs: undefined as unknown as number });
  }
}

/** Emits after `process` has returned. */
export class TooLate implements DoFn<string, string> {
  private error: unknown;
  private later: Promise<void> | undefined;
  process(element: string, context: Context): void {
    this.later = sleep(1).then(() => {
      try {
        context.output(element);
      } catch (error) {
        this.error = error;
      }
    });
  }
  async finishBundle(): Promise<void> {
    await this.later;
    if (this.error) throw this.error as Error;
  }
}

/** Catches the errors of the steps that follow. */
export class CatchAll implements DoFn<string, string> {
  process(element: string, context: Context): void {
    try {
      context.output(element);
    } catch {
      // The element is lost, and the bundle must not succeed.
    }
  }
}

const sumFn: CombineFn<number, number, number> = {
  createAccumulator: () => 0,
  addInput: (sum: number, n: number) => sum + n,
  mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => sum,
};

const everyState = {
  states: {
    value: valueState(stringCoder),
    bag: bagState(stringCoder),
    sum: combiningState(sumFn, varInt),
    set: setState(stringCoder),
    map: mapState(stringCoder, varInt),
  },
};

/** Keeps values in every kind of state, and emits all of it once for each key of a bundle. `clear` empties them. */
export class EveryState implements DoFn<Pair, string, typeof everyState> {
  declare(): typeof everyState {
    return everyState;
  }
  process({ value }: Pair, { state }: ElementContext<string, typeof everyState>): void {
    if (value === "clear") {
      for (const cell of Object.values(state)) cell.clear();
      return;
    }
    state.value.write(value);
    state.bag.add(value);
    state.sum.add(value.length);
    state.set.add(value);
    state.map.set(value, (state.map.get(value) ?? 0) + 1);
  }
  *finishKey(key: string, { state }: KeyContext<Pair, string, typeof everyState>): Iterable<string> {
    const counts = [...state.map.entries()].map(([text, n]) => `${text}${n}`).join("");
    const bag = state.bag.read().join("");
    yield `${key}: ${state.value.read()} ${bag} ${state.sum.read()} ${[...state.set.values()].join("")} ${counts}`;
  }
}

const lazyBag = { states: { log: bagState(stringCoder, { read: "lazy" }) } };

/** Adds each value to a bag; `?` emits it. */
export class AddBlindly implements DoFn<Pair, string, typeof lazyBag> {
  declare(): typeof lazyBag {
    return lazyBag;
  }
  async process({ value }: Pair, { state }: ElementContext<string, typeof lazyBag>): Promise<void> {
    if (value !== "?") state.log.add(value);
  }
  async finishKey(key: string, { state }: KeyContext<Pair, string, typeof lazyBag>): Promise<Iterable<string>> {
    return key === "read" ? [(await state.log.read()).join()] : [];
  }
}

const byNumber = { states: { count: valueState(varInt) } };

/** The number at the start of a text, as key. */
export class KeyByNumber implements DoFn<string, KV<number, string>> {
  *process(text: string): Iterable<KV<number, string>> {
    yield { key: Number.parseInt(text, 10), value: text };
  }
}

/** Counts the elements of each key, which is a number, and window. */
export class CountNumbers implements DoFn<KV<number, string>, string, typeof byNumber> {
  declare(): typeof byNumber {
    return byNumber;
  }
  *process({ key }: KV<number, string>, { state, window }: ElementContext<string, typeof byNumber>): Iterable<string> {
    const count = (state.count.read() ?? 0) + 1;
    state.count.write(count);
    yield `${key} ${windowText(window)} ${count}`;
  }
}

const timed = {
  states: { seen: bagState(stringCoder) },
  timers: { later: eventTimer(), clock: processingTimer() },
};
type Timed = typeof timed;

/** Does with its timers what the element says: `<timer> <set|clear|end|relative> [time] [tag] [output time]`. */
export class DoAsTold implements DoFn<Pair, string, Timed> {
  declare(): Timed {
    return timed;
  }
  process({ value }: Pair, { timers, state }: ElementContext<string, Timed>): void {
    state.seen.add(value);
    const [name = "", what = "", time = "", tag = "", output = ""] = value.split(" ");
    const timer = timers[name as keyof Timed["timers"]];
    const outputTimestampMs = output === "none" ? ("none" as const) : Number(output);
    const options = { ...(tag && { tag }), ...(output && { outputTimestampMs }) };
    if (what === "set") timer.set(Number(time), options);
    if (what === "relative") timer.setRelative(Number(time), options);
    if (what === "end") timer.setToWindowEnd(options);
    if (what === "clear") timer.clear(time);
  }
  /** A tag `again:<time>` sets the timer again; the tag `clear` clears the timer with the tag `victim`. */
  *onTimer(
    { name, tag, fireTimestampMs }: FiredTimer<Timed>,
    { key, timestampMs, window, state, timers }: TimerContext<Pair, string, Timed>,
  ): Iterable<string> {
    yield `${key} ${name} ${tag} fired at ${fireTimestampMs} as ${timestampMs} in ${windowText(window)} after ${state.seen.read().length}`;
    if (tag.startsWith("again:")) timers[name].set(Number(tag.slice(6)), { tag: "repeated" });
    if (tag === "clear") timers[name].clear("victim");
  }
}

const texts = { states: { seen: bagState(stringCoder) }, timers: { end: eventTimer() } };

/** Emits how many elements of a key a window had: from a timer at the end of the window, and when the window expires. */
export class CountWindows implements DoFn<Pair, string, typeof texts> {
  declare(): typeof texts {
    return texts;
  }
  process({ value }: Pair, { state, timers }: ElementContext<string, typeof texts>): void {
    state.seen.add(value);
    timers.end.setToWindowEnd();
  }
  *onTimer(
    _timer: FiredTimer<typeof texts>,
    { key, window, state }: TimerContext<Pair, string, typeof texts>,
  ): Iterable<string> {
    yield `${key} ${windowText(window)} ends with ${state.seen.read().length}`;
  }
  *onWindowExpiration({ key, window, state, timestampMs }: TimerContext<Pair, string, typeof texts>): Iterable<string> {
    yield `${key} ${windowText(window)} expires with ${state.seen.read().length} as ${timestampMs}`;
  }
}

/** Sets an event-time timer again and again, 10 ms after the last time it fired, and emits each time. */
export class Looping implements DoFn<Pair, string, Timed> {
  declare(): Timed {
    return timed;
  }
  process(_pair: Pair, { timers }: ElementContext<string, Timed>): void {
    timers.later.set(10);
  }
  *onTimer(
    { tag, fireTimestampMs }: FiredTimer<Timed>,
    { timers }: TimerContext<Pair, string, Timed>,
  ): Iterable<string> {
    yield `${tag}${fireTimestampMs}`;
    if (tag === "") timers.later.setRelative(10);
  }
}

const counting = { states: { n: valueState<number>(varInt) } };

/** Counts the elements of each key until its state expires. */
export class CountUntilExpiry implements DoFn<Pair, string, typeof counting> {
  constructor(
    private readonly afterMs: number,
    private readonly time: "event" | "processing",
  ) {}
  declare(): typeof counting {
    const { afterMs, time } = this;
    return { ...counting, ...{ expire: expireState({ afterMs, time }) } };
  }
  *process({ key }: Pair, { state }: ElementContext<string, typeof counting>): Iterable<string> {
    const n = (state.n.read() ?? 0) + 1;
    state.n.write(n);
    yield `${key}=${n}`;
  }
}

const expiring = {
  states: { n: valueState<number>(varInt) },
  timers: { later: eventTimer() },
  expire: expireState({ afterMs: 1_000, time: "event" }),
};

/** Has a timer, and state that expires. */
export class ExpiresWithTimer implements DoFn<Pair, string, typeof expiring> {
  declare(): typeof expiring {
    return expiring;
  }
  process(_pair: Pair, { state }: ElementContext<string, typeof expiring>): void {
    state.n.write(1);
  }
  onTimer(): void {}
}

const sided = {
  sideInputs: {
    all: iterableView<string>(),
    one: singletonView<string>("nothing"),
    many: multimapView<string, string>(),
    single: mapView<string, string>(),
  },
};

export type Sides = typeof sided;

/** Emits for each element how often each of the side inputs has what it says. */
export class ReadSides implements DoFn<string, string, typeof sided> {
  declare(): typeof sided {
    return sided;
  }
  async process(element: string, context: ElementContext<string, typeof sided>): Promise<void> {
    const { all, one, many, single } = context.sideInputs;
    const values = [...(await many.get(element))].join("+");
    context.output(`${element}: ${[...all].length} ${one} ${values} ${await single.get(element)}`);
  }
}

const windowedSide = { sideInputs: { rates: iterableView<string>() } };

/** Emits each element with the elements of a side input. */
export class WithRates implements DoFn<string, string, typeof windowedSide> {
  declare(): typeof windowedSide {
    return windowedSide;
  }
  *process(element: string, { sideInputs }: ElementContext<string, typeof windowedSide>): Iterable<string> {
    yield `${element}: ${sideInputs.rates.join()}`;
  }
}

/** Emits the number of elements of each key in `finishKey`. */
export class CountByKey implements StatefulDoFn<string, string, typeof counting.states> {
  states(): typeof counting.states {
    return counting.states;
  }
  process(_key: string, _value: string, { n }: CellsOf<typeof counting.states>): void {
    n.write((n.read() ?? 0) + 1);
  }
  *finishKey(key: string, { n }: CellsOf<typeof counting.states>): Iterable<string> {
    yield `${key}=${n.read()}`;
  }
}

/**
 * Emits the lines that a test appends to a file: `<epoch ms> <text>` emits a text, `watermark <epoch ms>` advances the
 * watermark. Reads on until its worker ends.
 */
export class Lines implements SplittableDoFn<string, { offset: number; watermarkMs: number }> {
  constructor(private readonly file: string) {}
  restrictions(): { offset: number; watermarkMs: number }[] {
    return [{ offset: 0, watermarkMs: 0 }];
  }
  async process(
    { offset, watermarkMs }: { offset: number; watermarkMs: number },
    context: ProcessContext<string>,
  ): Promise<Residual<{ offset: number; watermarkMs: number }>> {
    const text = existsSync(this.file) ? readFileSync(this.file, "utf8") : "";
    const end = text.lastIndexOf("\n") + 1;
    let watermark = watermarkMs;
    for (const line of text.slice(offset, end).split("\n").slice(0, -1)) {
      const [first = "", ...rest] = line.split(" ");
      if (first === "watermark") watermark = Number(rest[0]);
      else await context.emit(rest.join(" "), Number(first));
    }
    return { restriction: { offset: end, watermarkMs: watermark }, watermarkMs: watermark, resumeDelayMs: 20 };
  }
}

const routes = { outputs: { timers: stringCoder, windows: stringCoder, states: stringCoder, sides: stringCoder } };

/** Declares what it is given, and has no method for timers. */
export class Declares implements DoFn<Pair, string, DoFnDeclarations> {
  private readonly states: readonly string[];
  private readonly timers: readonly string[];
  private readonly tags: readonly string[];
  constructor(names: { readonly states?: string[]; readonly timers?: string[]; readonly outputs?: string[] }) {
    this.states = names.states ?? [];
    this.timers = names.timers ?? [];
    this.tags = names.outputs ?? [];
  }
  declare(): DoFnDeclarations {
    const all = <T>(names: readonly string[], value: T): Record<string, T> =>
      Object.fromEntries(names.map((name) => [name, value]));
    const { states, timers, tags } = this;
    return {
      states: all(states, valueState(stringCoder)),
      ...(timers.length && { timers: all(timers, eventTimer()) }),
      ...(tags.length && { outputs: all(tags, stringCoder) }),
    };
  }
  process(): void {}
}

/** Sends `<tag> <text>` to the output with this tag, and other texts to the main output. */
export class Route implements DoFn<string, string, typeof routes> {
  declare(): typeof routes {
    return routes;
  }
  process(line: string, context: ElementContext<string, typeof routes>): void {
    const [tag = "", ...rest] = line.split(" ");
    if (tag in routes.outputs) context.outputTo(tag as keyof (typeof routes)["outputs"], rest.join(" "));
    else context.output(line);
  }
}

registerModule(module);
