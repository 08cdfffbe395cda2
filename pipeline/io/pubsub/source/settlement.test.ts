import assert from "node:assert/strict";
import { Generations } from "./settlement";

describe("Generations", () => {
  it("releases a checkpoint's bundles only after the next ones have come", () => {
    const g = new Generations<string>(2, 1000);
    assert.deepEqual(g.add("1a", 0), []);
    assert.deepEqual(g.add("1b", 50), []);
    assert.deepEqual(g.add("2a", 5000), []);
    assert.deepEqual(g.add("3a", 10_000), []);
    assert.deepEqual(g.add("4a", 15_000), ["1a", "1b"]);
    assert.deepEqual(g.add("5a", 20_000), ["2a"]);
  });

  it("takes calls in a burst for one checkpoint", () => {
    const g = new Generations<number>(0, 1000);
    for (let i = 0; i < 10; i++) assert.deepEqual(g.add(i, i * 90), []);
    assert.deepEqual(g.add(10, 1000), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("gives back everything that waits", () => {
    const g = new Generations<string>(2, 1000);
    g.add("a", 0);
    g.add("b", 5000);
    assert.deepEqual(g.takeAll(), ["a", "b"]);
    assert.deepEqual(g.takeAll(), []);
  });
});
