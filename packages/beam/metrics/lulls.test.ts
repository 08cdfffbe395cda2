import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { LULL_MS, LullWatch } from "./lulls";
import { BundleTimes, Step } from "./steps";

describe("Steps that hang", () => {
  it("a step that neither emits nor returns is reported once in five minutes", () => {
    const step = new Step("id", "Write", new Map());
    const times = new BundleTimes();
    const watch = new LullWatch();
    const check = (now: number): string[] => watch.check([["b1", times]], now);
    const ongoing = (seconds: number): string =>
      `Operation ongoing in bundle b1 for at least ${seconds} s in step Write (process_bundle), without outputting or completing`;
    times.enter(step.states.process);
    assert.deepEqual([check(0), check(LULL_MS - 1), check(LULL_MS)], [[], [], [ongoing(300)]]);
    assert.deepEqual([check(LULL_MS + 10_000), check(2 * LULL_MS)], [[], [ongoing(600)]]);
    times.enter(step.states.process); // the next element
    assert.deepEqual([check(2 * LULL_MS + 1), check(3 * LULL_MS)], [[], []]);
  });

  it("a bundle that waits for data of the runner is not reported", () => {
    const times = new BundleTimes();
    const watch = new LullWatch();
    assert.deepEqual([watch.check([["b1", times]], 0), watch.check([["b1", times]], 10 * LULL_MS)], [[], []]);
  });

  it("a step that holds the event loop is reported while it does", () => {
    const program = `
      const { startClock, clockNow } = require(${JSON.stringify(path.join(__dirname, "clock.js"))});
      const { BundleTimes, Step } = require(${JSON.stringify(path.join(__dirname, "steps.js"))});
      startClock(200);
      new BundleTimes().enter(new Step("id", "Loop", new Map()).states.process);
      while (clockNow() < 1000);
      process.exit();`;
    const { stderr, status } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 20_000 });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^The event loop has been held for at least \d+ s by step Loop \(process_bundle\): /);
  });
});
