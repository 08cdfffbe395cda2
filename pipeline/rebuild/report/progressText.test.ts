import assert from "node:assert/strict";
import { bar, RateMeter, rowsText, timeLeft } from "./progressText";

describe("The progress of a rebuild", () => {
  it("time left has two units at most", () => {
    assert.deepEqual([0.2, 59.1, 187, 3599.5, 3720, 90_000].map(timeLeft), [
      "1s",
      "1m 00s",
      "3m 07s",
      "1h 00m",
      "1h 02m",
      "25h 00m",
    ]);
  });

  it("the bar is empty at 0, full at 1, and never longer", () => {
    assert.deepEqual(
      [0, 0.5, 1, 1.2].map((share) => bar(share).indexOf("░")),
      [0, 10, -1, -1],
    );
    assert.equal(bar(1.2).length, 20);
  });

  it("the rows are shown with rate and time left, which are left out while they are unknown", () => {
    assert.equal(rowsText({ done: 1000, total: 5000, rate: 100 }), "1,000 of 5,000 rows, 100/s, 40s left");
    assert.equal(rowsText({ done: 0, total: 5000, rate: 0 }), "0 of 5,000 rows");
    assert.equal(rowsText({ done: 5000, total: 5000, rate: 100 }), "5,000 of 5,000 rows, 100/s");
  });

  it("the rate is that of the last seconds, and begins anew when the count is smaller than before", () => {
    const meter = new RateMeter(10_000);
    assert.equal(meter.add(0, 0), 0);
    assert.equal(meter.add(10_000, 1000), 100);
    assert.equal(meter.add(20_000, 5000), 400);
    assert.equal(meter.add(21_000, 10), 0);
    assert.equal(meter.add(22_000, 20), 10);
  });
});
