import assert from "node:assert/strict";
import fc from "fast-check";
import { RecentSet } from "./recentSet";

const word = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffffffff }));
const element = fc.tuple(word, word, word, word).filter((words) => words.some((w) => w !== 0));

/** Elements with hashed words, as the set requires. */
function hashed(n: number): [number, number, number, number] {
  const mix = (x: number): number => {
    let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  return [mix(4 * n + 1), mix(4 * n + 2), mix(4 * n + 3), mix(4 * n + 4)];
}

describe("RecentSet", () => {
  it("a set never contains an element that was not added, and always the last one that was", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 300 }), element, (elements, other) => {
        const set = new RecentSet(4096);
        const added = new Set<string>();
        for (const e of elements) {
          assert(!set.has(...e) || added.has(e.join()));
          if (!set.has(...e)) set.add(...e);
          added.add(e.join());
          assert(set.has(...e));
        }
        assert(!set.has(...other) || added.has(other.join()));
      }),
    );
  });

  it("a set that has room contains everything that was added, while it grows to its budget", () => {
    const set = new RecentSet(8 * 1024 * 1024);
    const count = 100_000;
    const sizes = new Set<number>();
    for (let n = 0; n < count; n++) {
      set.add(...hashed(n));
      sizes.add(set.bytes);
    }
    assert(sizes.size > 3, "it has grown several times");
    assert(set.bytes <= 4 * 1024 * 1024, `${set.bytes} bytes for ${count} elements`);
    const missing = Array.from({ length: count }, (_, n) => n).filter((n) => !set.has(...hashed(n)));
    // A group of 8 that is full forgets an element although others have room.
    assert(missing.length < count * 0.03, `${missing.length} of ${count} are forgotten`);
  });

  it("a full set keeps its budget, forgets elements that were not used recently, and keeps those that were", () => {
    const budget = 1024 * 1024;
    const set = new RecentSet(budget);
    const room = budget / 16;
    const used = Array.from({ length: 1000 }, (_, n) => n);
    for (const n of used) set.add(...hashed(n));
    for (let n = 1000; n < 4 * room; n++) {
      set.add(...hashed(n));
      if (n % 500 === 0) for (const u of used) assert(set.has(...hashed(u)), `${u} at ${n}`);
    }
    assert.equal(set.bytes, budget);
    assert(!Array.from({ length: 1000 }, (_, n) => 2000 + n).some((n) => set.has(...hashed(n))));
  });
});
