import assert from "node:assert/strict";
import fc from "fast-check";
import { averageSessionDurationMin, averageSessionDurationSec } from "./rounding";

/** Halves away from zero, digit by digit: an oracle that divides only once, in unlimited integers. */
function oracle(durationMs: number, sessions: number, unitMs: bigint): number {
  const denominator = BigInt(sessions) * unitMs;
  const magnitude = BigInt(Math.abs(durationMs));
  const whole = magnitude / denominator;
  const up = (magnitude % denominator) * 2n >= denominator ? 1n : 0n;
  return Number(whole + up) * (durationMs < 0 ? -1 : 1) + 0;
}

describe("rounding", () => {
  it("rounds halves away from zero", () => {
    assert.equal(averageSessionDurationSec(1499, 1), 1);
    assert.equal(averageSessionDurationSec(1500, 1), 2);
    assert.equal(averageSessionDurationSec(2500, 1), 3); // not to even
    assert.equal(averageSessionDurationSec(-1500, 1), -2);
    assert.equal(averageSessionDurationSec(4500, 3), 2);
    assert.equal(averageSessionDurationSec(4499, 3), 1);
    assert.equal(averageSessionDurationMin(300, 1), 0.01);
    assert.equal(averageSessionDurationMin(299, 1), 0);
    assert.equal(averageSessionDurationMin(90_000, 1), 1.5);
    // 1.005 minutes: in floating point Math.round(1.005 * 100) / 100 is 1.
    assert.equal(averageSessionDurationMin(60_300, 1), 1.01);
  });

  it("is 0 for no sessions, and never -0", () => {
    for (const average of [averageSessionDurationSec, averageSessionDurationMin]) {
      assert.ok(Object.is(average(0, 0), 0));
      assert.ok(Object.is(average(0, 5), 0));
      assert.ok(Object.is(average(-1, 5), 0));
    }
  });

  it("equals exact arithmetic for all sizes", () => {
    const durations = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: 0, max: 10_000 }));
    const sessions = fc.oneof(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.integer({ min: 1, max: 50 }));
    fc.assert(
      fc.property(durations, sessions, (durationMs, count) => {
        assert.equal(averageSessionDurationSec(durationMs, count), oracle(durationMs, count, 1000n));
        assert.equal(averageSessionDurationMin(durationMs, count), oracle(durationMs, count, 600n) / 100);
      }),
      { numRuns: 5000 },
    );
  }).timeout(20_000);

  it("equals exact arithmetic on and next to a half", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: -1, max: 1 }), (n, count, off) => {
        const half = (2 * n + 1) * 500 * count + off;
        assert.equal(averageSessionDurationSec(half, count), off < 0 ? n : n + 1);
        assert.equal(averageSessionDurationSec(-half, count), (off < 0 ? -n : -n - 1) + 0);
      }),
    );
  });
});
