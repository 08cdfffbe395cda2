import assert from "node:assert/strict";
import { KeySet } from "./keySet";

describe("KeySet", () => {
  const keys = Array.from({ length: 1000 }, (_, i) => ({ name: `name-${i % 10}`, key: `wk_${i}` }));
  const set = new KeySet(keys);

  it("KeySet finds the name of a key", () => {
    for (const { name, key } of keys) assert.equal(set.nameOf(key), name);
  });

  it("KeySet finds no other key", () => {
    for (const wrong of ["", "wk_", "wk_1000", "WK_1", "wk_1 ", "wk_1, wk_1", "wk_1\0", "x".repeat(1e6), "__proto__"]) {
      assert.equal(set.nameOf(wrong), undefined);
    }
  });

  it("KeySet stores no key in plain text", () => {
    const key = "a-key-like-no-other";
    assert.ok(!JSON.stringify([...Object.entries(new KeySet([{ name: "shop", key }]))]).includes(key));
  });
});
