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
    let reads = 0;
    let pause: { afterReads: number; ms: number } | undefined;
    const read = (): number => {
      const value = now;
      if (pause && ++reads === pause.afterReads) {
        now += pause.ms;
        pause = undefined;
      }
      return value;
    };
    const steps = new ClockSteps(read, read);
    for (const afterReads of [1, 2]) {
      for (const ms of [1_000, 60_000]) {
        reads = 0;
        pause = { afterReads, ms };
        assert.equal(steps.check(), 0, `${ms} ms after ${afterReads} readings`);
        assert.equal(pause, undefined, "the process has paused");
      }
    }
    assert.equal(steps.count, 0);
  });
});
