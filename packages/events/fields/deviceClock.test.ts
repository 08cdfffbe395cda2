import assert from "node:assert/strict";
import fc from "fast-check";
import { clockCorrection, MAX_BELIEVED_SKEW_MS } from "./deviceClock";

const NOW = Date.UTC(2024, 4, 17, 12, 0, 30, 123);
const HOUR = 3_600_000;

describe("clockCorrection", () => {
  it("a clock that is wrong by up to 10 minutes is believed", () => {
    for (const skew of [0, 1, -1, MAX_BELIEVED_SKEW_MS, -MAX_BELIEVED_SKEW_MS]) {
      assert.equal(clockCorrection(NOW - skew, NOW), 0);
    }
    assert.equal(clockCorrection(NOW - MAX_BELIEVED_SKEW_MS - 1, NOW), MAX_BELIEVED_SKEW_MS);
    assert.equal(clockCorrection(NOW + MAX_BELIEVED_SKEW_MS + 1, NOW), -MAX_BELIEVED_SKEW_MS);
  });

  it("a correction is what the clock is wrong by, in whole minutes, also for a clock that was reset to 1970", () => {
    assert.equal(clockCorrection(NOW - 2 * HOUR, NOW), 2 * HOUR);
    fc.assert(
      fc.property(fc.integer({ min: -1e14, max: 1e14 }), (sentAt) => {
        const correction = clockCorrection(sentAt, NOW);
        assert.ok(Number.isInteger(correction / 60_000));
        const rest = Math.abs(NOW - sentAt - correction);
        assert.ok(rest <= (correction === 0 ? MAX_BELIEVED_SKEW_MS : 30_000));
      }),
    );
  });

  it("an event that is sent again gets the same correction although the second request took a second longer", () => {
    const wrong = (clock: number): number => clock - 2 * HOUR;
    const again = NOW + 90_000;
    assert.equal(clockCorrection(wrong(again), again + 1000), clockCorrection(wrong(NOW), NOW + 50));
  });
});
