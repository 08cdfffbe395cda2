import assert from "node:assert/strict";
import { ClockSteps } from "./clockSteps";

describe("ClockSteps", () => {
  it("counts steps of the clock in both directions, and neither time that passes nor small corrections", () => {
    let [wall, monotonic] = [1_000_000, 50];
    const steps = new ClockSteps(
      () => wall,
      () => monotonic,
    );
    const pass = (ms: number, step = 0): number => {
      monotonic += ms;
      wall += ms + step;
      return steps.check();
    };
    assert.equal(pass(1000), 0);
    assert.equal(pass(3_600_000), 0);
    for (let n = 0; n < 100; n++) assert.equal(pass(1000, 20), 0);
    assert.equal(steps.count, 0);
    assert.equal(pass(1000, -3 * 3_600_000), -3 * 3_600_000);
    assert.equal(pass(1000), 0);
    assert.equal(pass(1000, 30 * 3_600_000), 30 * 3_600_000);
    assert.equal(steps.count, 2);
  });

  it("does not take a process that pauses between two readings for a step", () => {
    let now = 1_000_000;
    let stall = 0;
    const monotonic = (): number => {
      const read = now;
      now += stall;
      stall = 0;
      return read;
    };
    const steps = new ClockSteps(() => now, monotonic);
    for (stall of [60_000, 1_000, 300_000]) assert.equal(steps.check(), 0);
    assert.equal(steps.count, 0);
    assert.equal(stall, 0, "the stalls have happened");
  });
});
