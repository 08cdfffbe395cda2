import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { EventLoopDelay } from "./eventLoopDelay";
import { eventually } from "../testing/fixture";

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("EventLoopDelay", () => {
  it("EventLoopDelay weights turns by their length instead of taking their mean", () => {
    let now = 0;
    const lag = new EventLoopDelay(() => now);
    lag.stop();
    const turns = (...lengths: number[]): void => {
      for (const length of lengths) {
        now += length;
        lag.tick();
      }
    };
    turns(...Array<number>(25).fill(20));
    assert.equal(lag.ms, 0);
    // 100 of 500 ms are short turns of 20 ms, 400 are one turn.
    turns(20, 20, 20, 20, 20, 400);
    assert.equal(lag.ms, 0, "one long turn is no overload");
    turns(20, 20, 20, 20, 20, 400);
    assert.equal(lag.ms, (100 * 20 + 400 * 400) / 500 - 20);
    turns(3000, 3000);
    assert.equal(lag.ms, 2980);
    turns(...Array<number>(25).fill(20));
    assert.equal(lag.ms, 0);
  });

  it("EventLoopDelay rises while the loop is blocked and falls again afterwards", async () => {
    const lag = new EventLoopDelay();
    try {
      block(600);
      await sleep(1);
      block(600);
      await sleep(50);
      const most = lag.ms;
      assert.ok(most >= 300, String(most));
      await eventually(() => lag.ms < most / 3, "less lag");
    } finally {
      lag.stop();
    }
  });
});
