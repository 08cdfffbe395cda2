import assert from "node:assert/strict";
import fc from "fast-check";
import type { DayTotals } from "@eventlogger/events/totals/totals";
import { EncodingError } from "../textEncoding";
import { decodeDelta, decodeTotals, encodeDelta, encodeTotals } from "./encoding";

const count = fc.maxSafeInteger();
const counts = { day: fc.nat(3_000_000), sessions: count, durationMs: count, activeUsers: count, newUsers: count };

describe("encoding of totals", () => {
  it("deltas are the same after encoding and decoding", () => {
    fc.assert(
      fc.property(fc.record(counts, { noNullPrototype: true }), (delta) =>
        assert.deepEqual(decodeDelta(encodeDelta(delta)), delta),
      ),
    );
    const delta = { day: 19_860, sessions: 1, durationMs: -5, activeUsers: 0, newUsers: 2 };
    assert.deepEqual(encodeDelta(delta), { key: "19860", value: "[1,-5,0,2]" });
  });

  it("stored totals are the same after encoding and decoding, without other fields", () => {
    fc.assert(
      fc.property(fc.record({ ...counts, version: count }, { noNullPrototype: true }), (totals) =>
        assert.deepEqual(decodeTotals(encodeTotals(totals)), totals),
      ),
    );
    const totals: DayTotals = { day: 1, sessions: 2, durationMs: 3, activeUsers: 4, newUsers: 5, version: 6 };
    const text = '{"day":1,"sessions":2,"durationMs":3,"activeUsers":4,"newUsers":5,"version":6}';
    assert.equal(encodeTotals({ ...totals, updatedAt: 7 } as DayTotals), text);
    assert.deepEqual(decodeTotals(text), totals);
  });

  it("decoding damaged texts of totals is an error", () => {
    for (const value of ["", "{}", "[1,2,3]", "[1,2,3,4,5]", '[1,2,3,"4"]', "[1,2,3,null]", "[1,2,3,0.5]"]) {
      assert.throws(() => decodeDelta({ key: "1", value }), EncodingError, value);
    }
    for (const key of ["", "x", "1.5", "2024-05-01"]) {
      assert.throws(() => decodeDelta({ key, value: "[1,2,3,4]" }), EncodingError, key);
    }
    for (const text of ["", "null", "[]", "{}", '{"day":1,"sessions":2,"durationMs":3,"activeUsers":4,"newUsers":5}']) {
      assert.throws(() => decodeTotals(text), EncodingError, text);
    }
  });
});
