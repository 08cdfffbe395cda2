import assert from "node:assert/strict";
import fc from "fast-check";
import { dayDelta, type DayTotals } from "@eventlogger/events/totals/totals";
import { EncodingError } from "../textEncoding";
import { decodeDelta, decodeTotals, encodeDelta, encodeTotals } from "./encoding";

const count = fc.maxSafeInteger();
const countFields = {
  ...{ sessions: count, durationMs: count, activeUsers: count, newUsers: count, anonymousUsers: count },
  ...{ weeklyActiveChange: count, monthlyActiveChange: count, botSessions: count, botUsers: count },
};
const counts = { day: fc.nat(3_000_000), ...countFields };

describe("encoding of totals", () => {
  it("deltas are the same after encoding and decoding", () => {
    fc.assert(
      fc.property(fc.record(counts, { noNullPrototype: true }), (delta) =>
        assert.deepEqual(decodeDelta(encodeDelta(delta)), delta),
      ),
    );
    const delta = dayDelta(19_860, { sessions: 1, durationMs: -5, newUsers: 2, weeklyActiveChange: -1, botUsers: 3 });
    assert.deepEqual(encodeDelta(delta), { key: "19860", value: "[1,-5,0,2,0,-1,0,0,3]" });
  });

  it("stored totals are the same after encoding and decoding, without other fields", () => {
    fc.assert(
      fc.property(fc.record({ ...counts, version: count }, { noNullPrototype: true }), (totals) =>
        assert.deepEqual(decodeTotals(encodeTotals(totals)), totals),
      ),
    );
    const totals: DayTotals = {
      ...{ day: 1, sessions: 2, durationMs: 3, activeUsers: 4, newUsers: 5, anonymousUsers: 6 },
      ...{ weeklyActiveChange: -7, monthlyActiveChange: 8, botSessions: 9, botUsers: 10, version: 11 },
    };
    const text =
      '{"day":1,"sessions":2,"durationMs":3,"activeUsers":4,"newUsers":5,"anonymousUsers":6,"weeklyActiveChange":-7,' +
      '"monthlyActiveChange":8,"botSessions":9,"botUsers":10,"version":11}';
    assert.equal(encodeTotals({ ...totals, updatedAt: 7 } as DayTotals), text);
    assert.deepEqual(decodeTotals(text), totals);
  });

  it("decoding damaged texts of totals is an error", () => {
    for (const value of [
      "",
      "{}",
      "[1,2,3,4]",
      "[1,2,3,4,5,6,7,8,9,0]",
      '[1,2,3,4,5,6,7,8,"9"]',
      "[1,2,3,4,5,6,7,8,null]",
      "[1,2,3,4,5,6,7,8,0.5]",
    ]) {
      assert.throws(() => decodeDelta({ key: "1", value }), EncodingError, value);
    }
    for (const key of ["", "x", "1.5", "2024-05-01"]) {
      assert.throws(() => decodeDelta({ key, value: "[1,2,3,4,5,6,7,8,9]" }), EncodingError, key);
    }
    for (const text of ["", "null", "[]", "{}", '{"day":1,"sessions":2,"durationMs":3,"activeUsers":4,"newUsers":5}']) {
      assert.throws(() => decodeTotals(text), EncodingError, text);
    }
  });
});
