import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./dataSink.scenario";

describe("Patch of the data sink", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("dataSink", require.resolve("./dataSink.scenario"), Object.keys(scenarios));
  });

  it("the patched data sink sends more than a megabyte from one process() once", async () => {
    assert.deepEqual(await scenarios.largeOutput(), { count: 1020, distinct: 1020 });
    const outcome = without["largeOutput"];
    // Without the patch the same bytes are sent repeatedly, and the runner may fail to decode them.
    if (outcome?.ended === "value") assert.notEqual((outcome.value as { count: number }).count, 1020);
    else assert.match(JSON.stringify(outcome), /error|hang/);
  });

  it("the patched data sink sends output before the bundle ends", async () => {
    assert.deepEqual(await scenarios.outputOfOpenBundle(), ["a", "b"]);
    assert.equal(without["outputOfOpenBundle"]?.ended, "hang");
  });
});
