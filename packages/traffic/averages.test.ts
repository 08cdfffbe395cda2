import assert from "node:assert/strict";
import { averageSessionDurationMin, averageSessionDurationSec } from "./averages";

describe("averages", () => {
  it("average durations round halves away from zero", () => {
    assert.equal(averageSessionDurationSec(1499, 1), 1);
    assert.equal(averageSessionDurationSec(1500, 1), 2);
    assert.equal(averageSessionDurationSec(2500, 1), 3); // not to even
    assert.equal(averageSessionDurationSec(4500, 3), 2);
    assert.equal(averageSessionDurationSec(4499, 3), 1);
    assert.equal(averageSessionDurationMin(300, 1), 0.01);
    assert.equal(averageSessionDurationMin(299, 1), 0);
    assert.equal(averageSessionDurationMin(90_000, 1), 1.5);
    // 1.005 minutes; in floating point Math.round(1.005 * 100) / 100 is 1.
    assert.equal(averageSessionDurationMin(60_300, 1), 1.01);
  });

  it("average durations are exact where floating point is not", () => {
    const sessions = 3_000_000_000;
    assert.equal(averageSessionDurationSec(BigInt(sessions) * 86_399_500n, sessions), 86_400);
    assert.equal(averageSessionDurationSec(BigInt(sessions) * 86_399_500n - 1n, sessions), 86_399);
  });

  it("average durations without sessions are 0", () => {
    assert.equal(averageSessionDurationSec(0, 0), 0);
    assert.equal(averageSessionDurationMin(0, 0), 0);
  });
});
