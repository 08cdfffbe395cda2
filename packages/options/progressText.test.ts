import assert from "node:assert/strict";
import { progressText } from "./progressText";

describe("progressText", () => {
  const text = (done: number, total: number, elapsedMs: number): string =>
    progressText({ done, total, elapsedMs, unit: "rows" });

  it("shows the share that is done, the rate and the time left", () => {
    assert.equal(text(500, 2000, 5000), "[#####---------------] 25 %  500 of 2,000 rows, 100/s, 15 s left");
    assert.match(text(1000, 1_000_000, 1000), /, 1,000\/s, 17 min left$/);
    assert.match(text(1000, 10_000_000, 1000), /, 1,000\/s, 2 h 47 min left$/);
  });

  it("shows no time left before the first row and after the last one", () => {
    assert.equal(text(0, 10, 1000), "[--------------------] 0 %  0 of 10 rows, 0/s");
    assert.equal(text(12, 10, 1000), "[####################] 100 %  12 of 10 rows, 12/s");
    assert.equal(text(0, 0, 0), "[####################] 100 %  0 of 0 rows, 0/s");
  });
});
