import assert from "node:assert/strict";
import fc from "fast-check";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { stringCoder } from "../coders";
import type { FoldedState } from "./cells";
import { bagState, foldedState, valueState, type Cell, type StateDeclaration } from "./cells";
import type { StateClient } from "./stateChannel";

/** The bytes of one state in a runner, and the requests that write them. */
class Stored {
  bytes = new Uint8Array();
  requests: string[] = [];

  /** Saves a cell, and loads the stored bytes into a new one. */
  async reload<C extends Cell>(declaration: StateDeclaration<C>, cell?: C): Promise<C> {
    if (cell) await Promise.all(cell.save(this as unknown as StateClient, {} as StateKey));
    const fresh = declaration.createCell();
    fresh.load(this.bytes);
    return fresh;
  }
  append(_key: StateKey, data: Uint8Array): Promise<void> {
    this.requests.push(`append ${data.length}`);
    this.bytes = Buffer.concat([this.bytes, data]);
    return Promise.resolve();
  }
  clear(): Promise<void> {
    this.requests.push("clear");
    this.bytes = new Uint8Array();
    return Promise.resolve();
  }
}

const set = foldedState<Set<string>, string>({
  coder: stringCoder,
  create: () => new Set(),
  fold: (state, record) => void record.split(",").forEach((v) => state.add(v)),
  snapshot: (state) => (state.size ? [[...state].join(",")] : []),
  entries: (record) => record.split(",").length,
  size: (state) => state.size,
  weight: (state) => 50 * state.size,
});

describe("Cells of keyed state", () => {
  it("a ValueState stores the last value, also after many saves", async () => {
    const declaration = valueState(stringCoder);
    const op = fc.option(fc.string());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(op)), fc.boolean(), async (bundles, keepInMemory) => {
        const stored = new Stored();
        let cell = await stored.reload(declaration);
        let expected: string | undefined;
        for (const bundle of bundles) {
          for (const value of bundle) {
            if (value === null) cell.clear();
            else cell.write(value);
            expected = value ?? undefined;
          }
          const reloaded = await stored.reload(declaration, cell);
          assert.equal(reloaded.read(), expected);
          if (!keepInMemory) cell = reloaded;
        }
      }),
    );
  });

  it("a ValueState writes nothing when nothing has changed, and clears only a stored value", async () => {
    const stored = new Stored();
    const declaration = valueState(stringCoder);
    let cell = await stored.reload(declaration);
    cell.write("a");
    cell = await stored.reload(declaration, cell);
    await stored.reload(declaration, cell);
    assert.deepEqual(stored.requests, ["append 2"]);
    cell.write("b");
    await stored.reload(declaration, cell);
    assert.deepEqual(stored.requests, ["append 2", "clear", "append 2"]);
  });

  it("a BagState stores the elements that were added since the last clear", async () => {
    const declaration = bagState(stringCoder);
    const op = fc.option(fc.string());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(op)), fc.boolean(), async (bundles, keepInMemory) => {
        const stored = new Stored();
        let cell = await stored.reload(declaration);
        let expected: string[] = [];
        for (const bundle of bundles) {
          for (const value of bundle) {
            if (value === null) cell.clear();
            else cell.add(value);
            expected = value === null ? [] : [...expected, value];
          }
          const reloaded = await stored.reload(declaration, cell);
          assert.deepEqual(reloaded.read(), expected);
          assert.deepEqual(cell.read(), expected);
          if (!keepInMemory) cell = reloaded;
        }
      }),
    );
  });

  function add(cell: FoldedState<Set<string>, string>, value: number): void {
    cell.state.add(String(value));
    cell.log(String(value));
  }

  it("the stored log of a FoldedState folds to the state in memory, also when changes repeat and when it was packed", async () => {
    const values = fc.oneof(fc.array(fc.array(fc.nat(300))), fc.array(fc.array(fc.nat(12), { maxLength: 30 })));
    await fc.assert(
      fc.asyncProperty(values, fc.constantFrom("kept", "reloaded", "packed"), async (bundles, between) => {
        const stored = new Stored();
        let cell = await stored.reload(set);
        for (const bundle of bundles) {
          for (const value of bundle) add(cell, value);
          const reloaded = await stored.reload(set, cell);
          assert.deepEqual(reloaded.state, cell.state);
          if (between === "reloaded") cell = reloaded;
          const packed = between === "packed" ? cell.pack() : undefined;
          if (packed) {
            cell = set.createCell();
            cell.unpack(packed);
            assert.deepEqual(cell.state, reloaded.state);
            assert.deepEqual(cell.pack(), packed);
          }
        }
      }),
    );
  });

  it("a change of a FoldedState is one append, and its log stays below twice the state", async () => {
    const stored = new Stored();
    let cell = await stored.reload(set);
    for (let i = 0; i < 1000; i++) {
      add(cell, i % 100);
      cell = await stored.reload(set, cell);
      const entries = stored.bytes.length / 2; // at least two bytes each
      assert(entries <= 2 * (2 * cell.state.size + 64), `${entries} entries`);
    }
    const clears = stored.requests.filter((request) => request === "clear").length;
    assert(clears > 0 && clears < 10, `${clears} compactions`);
    assert.equal(stored.requests.length, 1000 + clears);
    const before = stored.requests.length;
    await stored.reload(set, cell);
    assert.equal(stored.requests.length, before, "a save without a change sends a request");
  });

  it("the log of a FoldedState is compacted as often when the state is packed between bundles", async () => {
    const stored = new Stored();
    let cell = await stored.reload(set);
    for (let i = 0; i < 200; i++) {
      add(cell, i % 10);
      await stored.reload(set, cell);
      const packed = cell.pack();
      assert(packed);
      cell = set.createCell();
      cell.unpack(packed);
    }
    const clears = stored.requests.filter((request) => request === "clear").length;
    assert(clears > 0 && clears < 10, `${clears} compactions`);
    assert.deepEqual((await stored.reload(set)).state, cell.state);
  });

  it("the weight of a cell grows with its content", async () => {
    for (const declaration of [valueState(stringCoder), bagState(stringCoder)]) {
      const cell = declaration.createCell();
      const empty = cell.weight;
      cell.load(Buffer.concat([Buffer.from([100]), Buffer.alloc(100, "x")]));
      assert(cell.weight >= empty + 100);
    }
    const folded = set.createCell();
    const empty = folded.weight;
    add(folded, 1);
    assert.equal(folded.weight, empty + 50);
  });
});
