import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addDeltas,
  addToTotals,
  dayDelta,
  isZeroDelta,
  newVersion,
  sumDeltas,
  type DayDelta,
  type DayTotals,
} from "./totals";

const small = fc.integer({ min: -5, max: 5 });
const deltas = fc.array(
  fc.record<DayDelta>({
    day: fc.nat(3),
    sessions: small,
    durationMs: small,
    activeUsers: small,
    newUsers: small,
    anonymousUsers: small,
    weeklyActiveChange: small,
    monthlyActiveChange: small,
    botSessions: small,
    botUsers: small,
  }),
  { maxLength: 20 },
);

describe("totals", () => {
  it("addDeltas adds each count and refuses deltas of different days", () => {
    const delta = dayDelta(1, { sessions: 1, durationMs: 20, activeUsers: 3, newUsers: -1, botSessions: 2 });
    assert.deepEqual(addDeltas(delta, { ...delta, newUsers: 5 }), {
      day: 1,
      sessions: 2,
      durationMs: 40,
      activeUsers: 6,
      newUsers: 4,
      anonymousUsers: 0,
      weeklyActiveChange: 0,
      monthlyActiveChange: 0,
      botSessions: 4,
      botUsers: 0,
    });
    assert.throws(() => addDeltas(delta, { ...delta, day: 2 }), /different days \(1 and 2\)/);
    assert.throws(() => addToTotals({ ...delta, version: 1 }, { ...delta, day: 2 }), /different days/);
  });

  it("sumDeltas returns one delta per day and omits deltas that cancel out", () => {
    const up = dayDelta(1, { sessions: 1, durationMs: 20, weeklyActiveChange: 1 });
    const down = dayDelta(1, { sessions: -1, durationMs: -20, weeklyActiveChange: -1 });
    assert.deepEqual(sumDeltas([up, { ...up, day: 2 }, down]), [{ ...up, day: 2 }]);
    assert.deepEqual(sumDeltas([]), []);
    assert.ok(!isZeroDelta(up));
  });

  it("totals are the same whether or not deltas are summed first", () => {
    fc.assert(
      fc.property(deltas, fc.nat(20), (list, cut) => {
        const apply = (parts: readonly DayDelta[]): Map<number, DayTotals> => {
          const totals = new Map<number, DayTotals>();
          for (const part of parts) totals.set(part.day, addToTotals(totals.get(part.day), part));
          return new Map([...totals].filter(([, total]) => !isZeroDelta(total)).sort(([a], [b]) => a - b));
        };
        const summed = [...sumDeltas(list.slice(0, cut)), ...sumDeltas(list.slice(cut))];
        assert.deepEqual(apply(summed), apply(list));
      }),
    );
  });

  it("a new version has the generation, the number and the time that it is given, and the totals of the day", () => {
    const delta = dayDelta(1, { sessions: 1, durationMs: 20 });
    const first = newVersion(addToTotals(undefined, delta), { generation: 2, version: 7, updatedAt: 1000 });
    assert.deepEqual(first, { ...delta, generation: 2, version: 7, updatedAt: 1000 });
    assert.equal(addToTotals(first, delta).version, 7);
  });
});
