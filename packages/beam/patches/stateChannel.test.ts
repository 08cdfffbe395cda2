import assert from "node:assert/strict";
import { withoutPatch } from "../testing/scenario";
import { scenarios } from "./stateChannel.scenario";

describe("Patch of the state channel", () => {
  it("a worker whose state stream breaks rejects what waits for it, also side inputs, and ends so that it is replaced", async () => {
    assert.match(await scenarios.brokenStream(), /broke the state stream/);
    const without = await withoutPatch("stateChannel", require.resolve("./stateChannel.scenario"), ["brokenStream"]);
    assert.equal(without["brokenStream"]?.ended, "hang");
  });
});
