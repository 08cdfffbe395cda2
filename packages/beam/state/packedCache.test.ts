import assert from "node:assert/strict";
import fc from "fast-check";
import { PackedCache } from "./packedCache";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();

/** Entries of the cache of bounded memory that hold about 64 bytes each. */
function fill(cache: PackedCache, from: number, to: number): void {
  for (let i = from; i < to; i++) cache.put(`key-${i}`, bytes(`value ${i} ${"x".repeat(30)}`));
}

describe("PackedCache", () => {
  const key = fc.nat(40).map((n) => `k${n}${"é".repeat(n % 3)}`);
  const operations = fc.array(fc.tuple(fc.constantFrom("put", "take", "delete"), key, fc.nat(200)), {
    maxLength: 400,
  });

  it("PackedCache returns what was put last, once, and loses nothing while there is room", () => {
    fc.assert(
      fc.property(operations, (list) => {
        const cache = new PackedCache(1 << 20);
        const model = new Map<string, Uint8Array>();
        list.forEach(([operation, name, length], i) => {
          const value = new Uint8Array(length).fill(i);
          if (operation === "put") {
            assert(cache.put(name, value));
            model.set(name, value);
          } else {
            if (operation === "take") assert.deepEqual(cache.take(name), model.get(name));
            else cache.delete(name);
            model.delete(name);
          }
          assert.equal(cache.size, model.size);
        });
      }),
    );
  });

  it("PackedCache that forgets never returns an older value, also when its positions start again", () => {
    fc.assert(
      fc.property(operations, fc.constantFrom(0xffffffff, 20_000), (list, maxPosition) => {
        const cache = new PackedCache(64 * 1024, maxPosition);
        const model = new Map<string, Uint8Array>();
        list.forEach(([operation, name, length], i) => {
          const value = new Uint8Array(50 * length).fill(i);
          if (operation === "put") {
            if (cache.put(name, value)) model.set(name, value);
            else model.delete(name);
          } else {
            const taken = operation === "take" ? cache.take(name) : cache.delete(name);
            if (taken) assert.deepEqual(taken, model.get(name));
            model.delete(name);
          }
        });
      }),
    );
  });

  it("PackedCache grows up to its limit, and then forgets the entries that were not used for longest", () => {
    const cache = new PackedCache(1 << 22);
    const first = cache.bytes;
    assert(first <= 768 * 1024);
    fill(cache, 0, 1000);
    for (let round = 0; round < 100; round++) {
      fill(cache, 1000 * round, 1000 * (round + 1));
      for (let i = 0; i < 100; i++) cache.put(`key-${i}`, cache.take(`key-${i}`) ?? assert.fail(`key-${i} is gone`));
    }
    assert(cache.bytes > 2 * first && cache.bytes <= 1 << 22, `${cache.bytes} bytes`);
    assert.match(text(cache.take("key-99999")) ?? "", /^value 99999 x+$/);
    assert.equal(cache.take("key-2000"), undefined);
    let kept = 0;
    for (let i = 90_000; i < 100_000; i++) if (cache.take(`key-${i}`)) kept++;
    assert(kept > 9000, `${kept} of the last 10,000 are kept`);
  });

  it("PackedCache stays small when few entries are used again and again", () => {
    const cache = new PackedCache(1 << 24);
    for (let i = 0; i < 100_000; i++) {
      cache.take(`key-${i % 100}`);
      cache.put(`key-${i % 100}`, bytes("a value of some bytes"));
    }
    assert(cache.bytes <= 768 * 1024, `${cache.bytes} bytes`);
    assert.equal(cache.size, 100);
  });

  it("PackedCache has no place for keys that are not in Latin-1, and for long entries", () => {
    const cache = new PackedCache(64 * 1024);
    assert.equal(cache.put("ключ", bytes("v")), false);
    assert.equal(cache.take("ключ"), undefined);
    assert.equal(cache.put("k", new Uint8Array(70_000)), false);
    assert.equal(cache.put("k".repeat(70_000), bytes("v")), false);
    assert.equal(cache.size, 0);
  });
});
