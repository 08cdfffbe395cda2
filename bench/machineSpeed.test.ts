import assert from "node:assert/strict";
import { referenceMs } from "./machineSpeed";

describe("referenceMs", () => {
  it("is the CPU time of the same work each time", () => {
    const [first, second] = [referenceMs(), referenceMs()];
    for (const ms of [first, second]) assert.ok(ms > 1 && ms < 10_000, `${ms} ms`);
    assert.ok(Math.max(first, second) / Math.min(first, second) < 10, `${first} and ${second} ms`);
  });
});
