import assert from "node:assert/strict";
import { AckTracker } from "./ackTracker";

describe("AckTracker", () => {
  it("AckTracker releases the bundles of a checkpoint only after two later checkpoints", () => {
    const tracker = new AckTracker<string>(2, 1000);
    assert.deepEqual(tracker.add("1a", 0), []);
    assert.deepEqual(tracker.add("1b", 50), []);
    assert.deepEqual(tracker.add("2a", 5000), []);
    assert.deepEqual(tracker.add("3a", 10_000), []);
    assert.deepEqual(tracker.add("4a", 15_000), ["1a", "1b"]);
    assert.deepEqual(tracker.add("5a", 20_000), ["2a"]);
  });

  it("AckTracker treats a burst of calls as one checkpoint", () => {
    const tracker = new AckTracker<number>(0, 1000);
    for (let i = 0; i < 10; i++) assert.deepEqual(tracker.add(i, i * 90), []);
    assert.deepEqual(tracker.add(10, 1000), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("AckTracker returns everything that waits when the job attempt ends", () => {
    const tracker = new AckTracker<string>(2, 1000);
    tracker.add("a", 0);
    tracker.add("b", 5000);
    assert.deepEqual(tracker.takeAll(), ["a", "b"]);
    assert.deepEqual(tracker.takeAll(), []);
  });
});
