import assert from "node:assert/strict";
import fc from "fast-check";
import { addDeltas, applyDelta, isZeroDelta, nextVersion, sumDeltas, type DayDelta, type DayTotals } from "./totals";

const small = fc.integer({ min: -5, max: 5 });
const deltas = fc.array(
  fc.record<DayDelta>({
    day: fc.nat(3),
    sessions: small,
    durationMs: small,
    activeUsers: small,
    newUsers: small,
  }),
  { maxLength: 20 },
);

describe("totals", () => {
  it("adds field by field, within a day only", () => {
    const delta: DayDelta = { day: 1, sessions: 1, durationMs: 20, activeUsers: 3, newUsers: -1 };
    assert.deepEqual(addDeltas(delta, { ...delta, newUsers: 5 }), {
      day: 1,
      sessions: 2,
      durationMs: 40,
      activeUsers: 6,
      newUsers: 4,
    });
    assert.throws(() => addDeltas(delta, { ...delta, day: 2 }), /different days \(1 and 2\)/);
    assert.throws(() => applyDelta({ ...delta, version: 1 }, { ...delta, day: 2 }, 5), /different days/);
  });

  it("sums to one delta a day without those that cancel out", () => {
    const up: DayDelta = { day: 1, sessions: 1, durationMs: 20, activeUsers: 0, newUsers: 0 };
    const down: DayDelta = { day: 1, sessions: -1, durationMs: -20, activeUsers: 0, newUsers: 0 };
    assert.deepEqual(sumDeltas([up, { ...up, day: 2 }, down]), [{ ...up, day: 2 }]);
    assert.deepEqual(sumDeltas([]), []);
    assert.ok(!isZeroDelta(up));
  });

  it("gives the same totals whether deltas are summed before or not", () => {
    fc.assert(
      fc.property(deltas, fc.nat(20), (list, cut) => {
        const apply = (parts: readonly DayDelta[]): Map<number, Omit<DayTotals, "version">> => {
          const totals = new Map<number, DayTotals>();
          for (const part of parts) totals.set(part.day, applyDelta(totals.get(part.day), part, 0));
          const known = [...totals].filter(([, total]) => !isZeroDelta(total));
          return new Map(known.sort(([a], [b]) => a - b).map(([day, { version: _, ...rest }]) => [day, rest]));
        };
        const summed = [...sumDeltas(list.slice(0, cut)), ...sumDeltas(list.slice(cut))];
        assert.deepEqual(apply(summed), apply(list));
      }),
    );
  });

  it("has versions that rise strictly and follow the clock", () => {
    assert.equal(nextVersion(undefined, 1000), 1000);
    assert.equal(nextVersion(1000, 5000), 5000);
    assert.equal(nextVersion(1000, 1000), 1001);
    assert.equal(nextVersion(1000, 10), 1001);
    const delta: DayDelta = { day: 1, sessions: 1, durationMs: 20, activeUsers: 0, newUsers: 0 };
    const first = applyDelta(undefined, delta, 7);
    assert.deepEqual(first, { ...delta, version: 7 });
    assert.deepEqual(applyDelta(first, delta, 7), { ...delta, sessions: 2, durationMs: 40, version: 8 });
  });
});
