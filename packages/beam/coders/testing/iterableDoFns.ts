/** DoFns for the tests of large iterables, in a registered module that workers can load. */
import "../../sdk";
import type { KV } from "apache-beam/values";
import type { BundleDoFn, Emit } from "../../bundleParDo";
import { registerModule } from "../../registerModule";
import type { LargeIterable } from "../stateBackedIterable";

type Group = KV<string, readonly string[] | LargeIterable<string>>;

/** Reads the values of a key twice, and emits `key: kind, count, total length`, once for each time. */
export class ReadTwice implements BundleDoFn<Group, string> {
  readonly readsLargeIterables = true;
  async process({ key, value }: Group, emit: Emit<string>): Promise<void> {
    for (let time = 0; time < 2; time++) {
      let count = 0;
      let length = 0;
      for await (const text of value) {
        count++;
        length += text.length;
      }
      emit(`${key}: ${Array.isArray(value) ? "array" : "pages"}, ${count}, ${length}`);
    }
  }
}

/** Emits the first `count` values of a key. */
export class ReadFirst implements BundleDoFn<Group, string> {
  readonly readsLargeIterables = true;
  constructor(private readonly count: number) {}
  async process({ value }: Group, emit: Emit<string>): Promise<void> {
    let left = this.count;
    for await (const text of value) {
      if (left-- === 0) return;
      emit(text);
    }
  }
}

/** Reads the values without `await`, although it has declared that it reads them page by page. */
export class ReadWithoutAwait implements BundleDoFn<KV<string, Iterable<string>>, string> {
  readonly readsLargeIterables = true;
  process({ value }: KV<string, Iterable<string>>, emit: Emit<string>): void {
    for (const text of value) emit(text);
  }
}

/** Emits what it gets. */
export class PassOn implements BundleDoFn<unknown, unknown> {
  readonly readsLargeIterables = true;
  process(element: unknown, emit: Emit<unknown>): void {
    emit(element);
  }
}

/** A DoFn of the SDK, which expects an array: emits `key: count, last value`. */
export class CountArray {
  *process({ key, value }: KV<string, string[]>): Iterable<string> {
    yield `${key}: ${value.length}, ${value.at(-1)}`;
  }
}

registerModule(module);
