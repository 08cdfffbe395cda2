import assert from "node:assert/strict";
import { ReplayPace } from "./replayPace";

const MESSAGE = 64 * 1024;

/** Takes as much as allowed in a round. @returns bytes */
function takeAll(pace: ReplayPace): number {
  let taken = 0;
  while (pace.hasBudget) {
    pace.took(MESSAGE);
    taken += MESSAGE;
  }
  return taken;
}

describe("ReplayPace", () => {
  /** Replays in rounds that take as long as the steps after the source need. @returns bytes of the last round */
  function settle(bytesPerMs: number, rounds = 40): number {
    const pace = new ReplayPace(1000);
    let now = 0;
    let taken = 0;
    for (let i = 0; i < rounds; i++) {
      pace.startRound(now);
      taken = takeAll(pace);
      now += Math.max(1, taken / bytesPerMs);
    }
    return taken;
  }

  it("a round gets about as much as the steps after the source process in its time", () => {
    for (const bytesPerMs of [500, 3000, 10_000]) {
      const taken = settle(bytesPerMs);
      const ms = taken / bytesPerMs;
      assert(ms > 700 && ms < 1300, `${ms} ms`);
    }
  });

  it("a slow pipeline still gets 512 KiB in a round, and a fast one no more than 16 MiB", () => {
    assert.equal(settle(1), 512 * 1024);
    assert.equal(settle(1e9), 16 * 2 ** 20);
  });

  it("rounds that wait for messages do not raise the budget", () => {
    const pace = new ReplayPace(1000);
    for (let now = 0; now < 100; now++) {
      pace.startRound(now);
      pace.took(MESSAGE);
    }
    pace.startRound(100);
    assert.equal(takeAll(pace), 512 * 1024);
  });

  it("rounds without replayed messages change nothing, however long they take", () => {
    const pace = new ReplayPace(1000);
    for (let i = 0; i < 10; i++) pace.startRound(i * 60_000);
    pace.startRound(600_000);
    assert.equal(takeAll(pace), 512 * 1024);
  });
});
