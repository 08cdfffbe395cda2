import "../sdk";
import assert from "node:assert/strict";
import { withoutPatch } from "../testing/scenario";
import { scenarios } from "./panes.scenario";

describe("Patch of the panes", () => {
  it("the pane of elements that no trigger has fired is the first and the last one, and not late", async () => {
    assert.deepEqual(await scenarios.onlyFiring(), [0x0f]);
    const without = await withoutPatch("panes", require.resolve("./panes.scenario"), Object.keys(scenarios));
    assert.deepEqual(without["onlyFiring"], { ended: "value", value: [0x09] });
  });
});
