import assert from "node:assert/strict";
import { backoffMs } from "./backoff";

describe("backoffMs", () => {
  const backoff = { initialMs: 100, maxMs: 1000 };

  it("backoffMs doubles the wait up to its upper bound", () => {
    const longest = [1, 2, 3, 4, 5, 5000].map((failures) => backoffMs(failures, backoff, () => 1));
    assert.deepEqual(longest, [100, 200, 400, 800, 1000, 1000]);
  });

  it("backoffMs varies the wait, and never returns less than a quarter of the bound", () => {
    assert.equal(
      backoffMs(3, backoff, () => 0),
      100,
    );
    assert.ok(new Set(Array.from({ length: 20 }, () => backoffMs(5, backoff))).size > 1);
  });
});
