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
