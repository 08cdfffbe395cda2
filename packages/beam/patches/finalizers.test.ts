import assert from "node:assert/strict";
import { finalizerLimitMs, PendingFinalizers } from "./finalizers";

const HOUR_MS = 60 * 60_000;

describe("Waiting finalizers", () => {
  it("finalizers that the runner has not called for an hour are aborted, and those of later bundles are not", async () => {
    const calls: string[] = [];
    const finalizer = (name: string) => ({
      commit: () => void calls.push(`commit ${name}`),
      abort: () => void calls.push(`abort ${name}`),
    });
    const pending = new PendingFinalizers();
    pending.add("b1", [finalizer("a"), finalizer("b")], 0);
    pending.add("b2", [finalizer("c")], 1000);
    pending.expire(HOUR_MS);
    assert.deepEqual(calls, []);
    pending.expire(HOUR_MS + 1);
    assert.deepEqual(calls, ["abort a", "abort b"]);
    await pending.finalize("b1");
    await pending.finalize("b2");
    assert.deepEqual(calls, ["abort a", "abort b", "commit c"]);
  });

  it("the time limit of finalizers is many checkpoint intervals, and at least an hour", () => {
    assert.equal(finalizerLimitMs(5000), HOUR_MS);
    assert.equal(finalizerLimitMs(10 * 60_000), 200 * 60_000);
  });
});
