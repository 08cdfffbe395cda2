import assert from "node:assert/strict";
import fc from "fast-check";
import { dayFromIso } from "../day";
import { mondayOf, sundayOf, weekOf } from "./week";

describe("week", () => {
  it("weeks begin on Monday", () => {
    const day = (iso: string): number => dayFromIso(iso) ?? assert.fail(iso);
    assert.equal(mondayOf(weekOf(day("2026-01-01"))), day("2025-12-29"));
    assert.equal(mondayOf(weekOf(day("2025-12-29"))), day("2025-12-29"));
    assert.equal(sundayOf(weekOf(day("2025-12-28"))), day("2025-12-28"));
    fc.assert(
      fc.property(fc.integer({ min: -5000, max: 3_000_000 }), (day) => {
        const monday = mondayOf(weekOf(day));
        assert.ok(monday <= day && day <= sundayOf(weekOf(day)) && sundayOf(weekOf(day)) === monday + 6);
        assert.equal(new Date(monday * 86_400_000).getUTCDay(), 1);
      }),
    );
  });
});
