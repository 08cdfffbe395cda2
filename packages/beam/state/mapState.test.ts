import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { BytesCoder } from "apache-beam/coders/required_coders";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import { stringCoder } from "../coders";
import { decodeAll, encodeAll, type Cell, type StateDeclaration } from "./cells";
import { combiningState } from "./combiningState";
import { mapState, setState } from "./mapState";
import type { StateClient } from "./stateChannel";

const varInt = new VarIntCoder();

/** The bag of a runner, which has no order: it is read in reverse. */
class ReversedBag {
  bytes = new Uint8Array();

  async save(cell: Cell): Promise<void> {
    await Promise.all(cell.save(this as unknown as StateClient, {} as StateKey));
  }
  load<C extends Cell>(declaration: StateDeclaration<C>): C {
    const cell = declaration.createCell();
    const coder = new BytesCoder();
    cell.load(encodeAll(coder, decodeAll(coder, this.bytes).reverse()));
    return cell;
  }
  append(_key: StateKey, data: Uint8Array): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, data]);
    return Promise.resolve();
  }
  clear(): Promise<void> {
    this.bytes = new Uint8Array();
    return Promise.resolve();
  }
}

type Operation = readonly ["set", number, number] | readonly ["delete", number] | readonly ["clear"];
const key = fc.integer({ min: -3, max: 3 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("set" as const), key, fc.nat(9)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("delete" as const), key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("clear" as const)) },
);

describe("State of maps, sets and combined values", () => {
  it("a MapState is what a Map is after the same changes, also when the runner reorders the stored bag", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(operation)), fc.boolean(), async (bundles, keepInMemory) => {
        const bag = new ReversedBag();
        const declaration = mapState(varInt, varInt);
        let state = bag.load(declaration);
        const expected = new Map<number, number>();
        for (const bundle of bundles) {
          for (const [what, k = 0, value = 0] of bundle) {
            if (what === "set") {
              state.set(k, value);
              expected.set(k, value);
            } else if (what === "delete") assert.equal(state.delete(k), expected.delete(k));
            else {
              state.clear();
              expected.clear();
            }
          }
          await bag.save(state);
          const reloaded = bag.load(declaration);
          for (const each of [state, reloaded]) {
            assert.deepEqual(new Map(each.entries()), expected);
            assert.equal(each.size, expected.size);
          }
          for (let k = -3; k <= 3; k++)
            assert.deepEqual([state.has(k), state.get(k)], [expected.has(k), expected.get(k)]);
          if (!keepInMemory) state = reloaded;
        }
      }),
    );
  });

  it("a SetState has each element once, and its log stays short", async () => {
    const bag = new ReversedBag();
    const declaration = setState(stringCoder);
    for (let i = 0; i < 200; i++) {
      const state = bag.load(declaration);
      assert.equal(state.add(`v${i % 5}`), i < 5 || i % 10 >= 5);
      if (i % 10 < 5) assert.equal(state.delete(`v${i % 5}`), true);
      await bag.save(state);
      assert(bag.bytes.length < 1000, `${bag.bytes.length} bytes`);
    }
    assert.deepEqual([...bag.load(declaration).values()].sort(), ["v0", "v1", "v2", "v3", "v4"]);
  });

  it("a CombiningState stores one accumulator, and merges several that a runner has stored", async () => {
    const declaration = combiningState<number, number, string>(
      {
        createAccumulator: () => 0,
        addInput: (sum: number, n: number) => sum + n,
        mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
        extractOutput: (sum: number) => `sum ${sum}`,
      },
      varInt,
    );
    const bag = new ReversedBag();
    const state = declaration.createCell();
    assert.deepEqual([state.read(), state.isEmpty()], ["sum 0", true]);
    for (const n of [1, 2]) {
      state.add(n);
      await bag.save(state);
    }
    assert.deepEqual(decodeAll(varInt, bag.bytes), [3]);
    const merged = declaration.createCell();
    merged.load(encodeAll(varInt, [3, 4]));
    assert.equal(merged.read(), "sum 7");
    state.clear();
    await bag.save(state);
    assert.equal(bag.bytes.length, 0);
  });
});
