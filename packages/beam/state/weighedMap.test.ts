import assert from "node:assert/strict";
import fc from "fast-check";
import { mapWeight, textWeight, WeighedMap } from "./weighedMap";

describe("WeighedMap", () => {
  it("a text weighs its characters, twice as much when one of them is not in Latin-1", () => {
    assert.deepEqual(["", "a", "ü".repeat(9), "a".repeat(256), "a".repeat(255) + "一"].map(textWeight), [
      16,
      24,
      32,
      16 + 256,
      16 + 512,
    ]);
  });

  it("a WeighedMap weighs what a new one with the same entries weighs, after any changes", () => {
    const weightOf = (value: string): number => value.length;
    const change = fc.oneof(
      fc.tuple(fc.constant("set"), fc.nat(20), fc.string()),
      fc.tuple(fc.constant("delete"), fc.nat(20), fc.constant("")),
      fc.tuple(fc.constantFrom("clear", "delete"), fc.nat(40), fc.constant("")),
    );
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const map = new WeighedMap(weightOf);
        for (const [kind, key, value] of changes) {
          if (kind === "set") map.set(String(key), value);
          else if (kind === "delete") map.delete(String(key));
          else map.clear();
        }
        let expected = mapWeight(map.size);
        for (const [key, value] of map) expected += textWeight(key) + value.length;
        assert.equal(map.weight, expected);
      }),
    );
  });
});
