import assert from "node:assert/strict";
import fc from "fast-check";
import { LruCache } from "./cache";

describe("LruCache", () => {
  it("LruCache evicts the least recently used entry when it exceeds its budget", () => {
    const cache = new LruCache<{ weight: number }>(30);
    for (const key of ["a", "b", "c"]) cache.put(key, { weight: 10 });
    cache.put("a", cache.take("a") as { weight: number }); // used
    cache.put("d", { weight: 10 });
    assert.equal(cache.take("b"), undefined);
    assert.deepEqual([cache.size, cache.weight, cache.hits, cache.misses], [3, 30, 1, 1]);
  });

  it("LruCache keeps what a list ordered by use keeps, for any sequence of operations", () => {
    const operation = fc.tuple(fc.boolean(), fc.nat(9), fc.integer({ min: 1, max: 50 }));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const cache = new LruCache<{ weight: number }>(100);
        let model: { key: string; weight: number }[] = [];
        for (const [isPut, number, weight] of operations) {
          const key = String(number);
          const known = model.find((entry) => entry.key === key);
          model = model.filter((entry) => entry !== known);
          if (!isPut) assert.equal(cache.take(key)?.weight, known?.weight);
          else {
            cache.put(key, { weight });
            model.push({ key, weight });
            while (model.reduce((sum, entry) => sum + entry.weight, 0) > 100) model.shift();
          }
          assert.equal(cache.size, model.length);
        }
        for (const { key, weight } of model) assert.equal(cache.take(key)?.weight, weight);
        assert.deepEqual([cache.size, cache.weight], [0, 0]);
      }),
    );
  });

  it("LruCache returns an entry only once", () => {
    const cache = new LruCache<{ weight: number }>(30);
    cache.put("a", { weight: 1 });
    assert(cache.take("a"));
    assert.equal(cache.take("a"), undefined);
  });

  it("LruCache never exceeds its budget, and weighs nothing when it is empty", () => {
    const operation = fc.tuple(fc.boolean(), fc.nat(5), fc.nat(50));
    fc.assert(
      fc.property(fc.array(operation), (operations) => {
        const cache = new LruCache<{ weight: number }>(100);
        for (const [put, key, weight] of operations) {
          if (put) cache.put(String(key), { weight });
          else cache.take(String(key));
          assert(cache.weight <= 100 && cache.weight >= 0);
          if (cache.size === 0) assert.equal(cache.weight, 0);
        }
      }),
    );
  });
});
