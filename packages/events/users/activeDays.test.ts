import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addDay,
  decodeActiveDays,
  encodeActiveDays,
  firstActiveDay,
  hasDay,
  mergeActiveDays,
  type ActiveDays,
} from "./activeDays";
import { dayFromIso } from "../day";
import { sumDeltas } from "../totals/totals";

const days = fc.array(fc.oneof(fc.integer({ min: 18_000, max: 18_100 }), fc.integer({ min: 0, max: 30_000 })), {
  minLength: 1,
  maxLength: 60,
});

function setOf(list: readonly number[]): ActiveDays {
  let set: ActiveDays | undefined;
  for (const day of list) set = addDay(set, day)?.set ?? set;
  return set ?? assert.fail("no days");
}
function listDays(set: ActiveDays): number[] {
  return Array.from({ length: set.bits.length * 8 }, (_, i) => set.start + i).filter((day) => hasDay(set, day));
}
const ascending = (list: Iterable<number>): number[] => [...new Set(list)].sort((a, b) => a - b);

describe("activeDays", () => {
  it("a user is new on the first active day, and an earlier day moves the new user to that day", () => {
    const first = addDay(undefined, 100);
    assert.deepEqual(first?.deltas, [{ day: 100, sessions: 0, durationMs: 0, activeUsers: 1, newUsers: 1 }]);
    const later = addDay(first?.set, 103);
    assert.deepEqual(later?.deltas, [{ day: 103, sessions: 0, durationMs: 0, activeUsers: 1, newUsers: 0 }]);
    assert.equal(addDay(later?.set, 100), undefined);
    const earlier = addDay(later?.set, 7);
    assert.deepEqual(earlier?.deltas, [
      { day: 7, sessions: 0, durationMs: 0, activeUsers: 1, newUsers: 1 },
      { day: 100, sessions: 0, durationMs: 0, activeUsers: 0, newUsers: -1 },
    ]);
  });

  it("active days equal a Set of days, and their deltas add up to its counts", () => {
    fc.assert(
      fc.property(days, (list) => {
        const deltas = [];
        let set: ActiveDays | undefined;
        const oracle = new Set<number>();
        for (const day of list) {
          const change = addDay(set, day);
          assert.equal(change === undefined, oracle.has(day));
          if (!change) continue;
          oracle.add(day);
          deltas.push(...change.deltas);
          set = change.set;
        }
        const expected = ascending(oracle);
        if (!set) assert.fail("no days");
        assert.deepEqual(listDays(set), expected);
        assert.equal(firstActiveDay(set), expected[0]);
        assert.deepEqual(
          sumDeltas(deltas).sort((a, b) => a.day - b.day),
          expected.map((day, i) => ({ day, sessions: 0, durationMs: 0, activeUsers: 1, newUsers: i === 0 ? 1 : 0 })),
        );
        for (const day of list) assert.ok(hasDay(set, day) && hasDay(set, day - 1) === oracle.has(day - 1));
      }),
      { numRuns: 1000 },
    );
  }).timeout(20_000);

  it("active days do not depend on the order of additions, and merging is a union", () => {
    fc.assert(
      fc.property(days, days, (a, b) => {
        assert.deepEqual(setOf([...a].reverse()), setOf(a));
        const merged = mergeActiveDays(setOf(a), setOf(b));
        assert.deepEqual(listDays(merged), ascending([...a, ...b]));
        assert.deepEqual(merged, mergeActiveDays(setOf(b), setOf(a)));
        assert.deepEqual(merged, setOf([...a, ...b]));
        assert.deepEqual(mergeActiveDays(merged, merged), merged);
      }),
    );
  });

  it("addDay and mergeActiveDays do not change their arguments", () => {
    const set = setOf([100, 120]);
    const copy = structuredClone(set);
    addDay(set, 101);
    addDay(set, 3);
    mergeActiveDays(set, setOf([1]));
    assert.deepEqual(set, copy);
  });

  it("active days are the same after encoding and decoding", () => {
    fc.assert(
      fc.property(days, fc.nat(5), (list, offset) => {
        const set = setOf(list);
        const bytes = encodeActiveDays(set);
        assert.deepEqual(decodeActiveDays(bytes), set);
        const padded = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
        assert.deepEqual(listDays(decodeActiveDays(padded)), listDays(set));
      }),
    );
  });

  it("active days from 2020 to 2026 are encoded in at most 310 bytes", () => {
    const set = setOf([dayFromIso("2020-01-01") ?? 0, dayFromIso("2026-06-30") ?? 0]);
    assert.ok(encodeActiveDays(set).length <= 310, `${encodeActiveDays(set).length} bytes`);
    assert.ok(encodeActiveDays(setOf([20_000])).length <= 8);
  });

  it("decodeActiveDays rejects bytes of another format", () => {
    const bytes = encodeActiveDays(setOf([5]));
    bytes[0] = 2;
    assert.throws(() => decodeActiveDays(bytes), /format 2 .* reads only format 1/);
    assert.throws(() => decodeActiveDays(new Uint8Array()), /format none/);
    assert.throws(() => decodeActiveDays(Uint8Array.of(1, 0, 0, 0, 0)), /5 bytes/);
  });
});
