import assert from "node:assert/strict";
import { KeySet } from "./keySet";

describe("KeySet", () => {
  const keys = Array.from({ length: 1000 }, (_, i) => ({ name: `name-${i % 10}`, key: `wk_${i}` }));
  const set = new KeySet(keys);

  it("knows its keys by their names", () => {
    for (const { name, key } of keys) assert.equal(set.nameOf(key), name);
  });

  it("knows no other", () => {
    for (const wrong of ["", "wk_", "wk_1000", "WK_1", "wk_1 ", "wk_1, wk_1", "wk_1\0", "x".repeat(1e6), "__proto__"]) {
      assert.equal(set.nameOf(wrong), undefined);
    }
  });

  it("holds no key in clear", () => {
    const key = "a-key-like-no-other";
    assert.ok(!JSON.stringify([...Object.entries(new KeySet([{ name: "shop", key }]))]).includes(key));
  });
});
