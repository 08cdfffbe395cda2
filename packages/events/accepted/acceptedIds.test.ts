import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  AcceptedSample,
  eventIdHash,
  hashToHex,
  SAMPLE_SIZE,
  SHARDS_PER_DAY,
  shardOfHash,
  smallestHashes,
} from "./acceptedIds";

const MAX_HASH = 2 ** 48 - 1;
const hashes = (max: number) => fc.array(fc.integer({ min: 0, max }), { maxLength: 30 });
const additions = fc.array(fc.record({ day: fc.integer({ min: 20_000, max: 20_002 }), hashes: hashes(50) }), {
  maxLength: 12,
});
/** The first hashes of the full sample of a day: every second number. */
const full = Array.from({ length: SAMPLE_SIZE }, (_, i) => 2 * i);

function sampleOf(list: readonly { day: number; hashes: readonly number[] }[]): AcceptedSample {
  const sample = new AcceptedSample();
  for (const addition of list) sample.add(addition);
  return sample;
}

describe("acceptedIds", () => {
  it("the hash of an event id is the first 12 hexadecimal digits of its SHA-256, and the first digit is its shard", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (id) => {
        const hex = createHash("sha256").update(id, "utf8").digest("hex").slice(0, 12);
        assert.equal(hashToHex(eventIdHash(id)), hex);
        assert.equal(shardOfHash(eventIdHash(id)), parseInt(hex[0] as string, 16));
      }),
    );
    assert.equal(shardOfHash(MAX_HASH), SHARDS_PER_DAY - 1);
    assert.equal(hashToHex(0), "000000000000");
  });

  it("smallestHashes sorts, removes duplicates and keeps the smallest", () => {
    assert.deepEqual([...smallestHashes([5, 3, 5, MAX_HASH, 0])], [0, 3, 5, MAX_HASH]);
    assert.deepEqual([...smallestHashes([...full, ...full, 1])].slice(-1), [2 * (SAMPLE_SIZE - 2)]);
  });

  it("a sample is the set of the smallest hashes of the newest day, in whatever order and however often they are added", () => {
    fc.assert(
      fc.property(
        additions.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length })),
        ),
        ([list, shuffled]) => {
          const all = [...list, ...shuffled].filter((addition) => addition.hashes.length > 0);
          const day = Math.max(...all.map((addition) => addition.day));
          const expected = new Set(
            all.filter((addition) => addition.day === day).flatMap((addition) => addition.hashes),
          );
          const content = { day, hashes: [...expected].sort((a, b) => a - b) };
          assert.deepEqual(sampleOf(all).content, all.length ? content : undefined);
        },
      ),
    );
  });

  it("each of the smallest hashes of a day is returned as new to the record at least once, and no hash that was not added is", () => {
    fc.assert(
      fc.property(additions, (list) => {
        const sample = new AcceptedSample();
        const recorded = new Map<number, Set<number>>();
        const added = new Map<number, Set<number>>();
        for (const { day, hashes } of list) {
          for (const hash of hashes) added.set(day, (added.get(day) ?? new Set()).add(hash));
          for (const hash of sample.add({ day, hashes })) recorded.set(day, (recorded.get(day) ?? new Set()).add(hash));
        }
        assert.deepEqual(recorded, added);
      }),
    );
  });

  it("a full sample keeps the smallest hashes, and gains only smaller ones", () => {
    fc.assert(
      fc.property(fc.array(hashes(3 * SAMPLE_SIZE), { maxLength: 4 }), (bundles) => {
        const sample = sampleOf([{ day: 1, hashes: full }]);
        const known = new Set(full);
        for (const bundle of bundles) {
          const entered = sample.add({ day: 1, hashes: bundle });
          const all = [...new Set([...known, ...bundle])].sort((a, b) => a - b).slice(0, SAMPLE_SIZE);
          assert.deepEqual(sample.content?.hashes, all);
          assert.deepEqual(
            entered,
            all.filter((hash) => !known.has(hash)),
          );
          known.clear();
          for (const hash of all) known.add(hash);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("a hash that is in the sample is not new to the record again; on a newer day it is", () => {
    const sample = new AcceptedSample();
    assert.deepEqual(sample.add({ day: 1, hashes: [3, 1, 3] }), [1, 3]);
    assert.deepEqual(sample.add({ day: 1, hashes: [3, 2] }), [2]);
    assert.deepEqual(sample.add({ day: 1, hashes: [1, 2, 3] }), []);
    assert.deepEqual(sample.add({ day: 2, hashes: [1] }), [1]);
    assert.deepEqual(sample.content, { day: 2, hashes: [1] });
    assert.equal(sample.size, 1);
    // The sample does not remember the day any more, so all hashes are recorded again, which changes nothing.
    assert.deepEqual(sample.add({ day: 1, hashes: [1, 9] }), [1, 9]);
    assert.deepEqual(sample.content, { day: 2, hashes: [1] });
  });
});
