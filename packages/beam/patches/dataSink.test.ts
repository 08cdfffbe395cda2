import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./dataSink.scenario";

describe("Repair of the data sink", function () {
  this.timeout(20_000);
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("dataSink", require.resolve("./dataSink.scenario"), Object.keys(scenarios));
  });

  it("sends more than a megabyte of one process() once", async () => {
    assert.deepEqual(await scenarios.largeOutput(), { count: 1020, distinct: 1020 });
    const outcome = without["largeOutput"];
    // The same bytes again and again; past its end the runner cannot even decode them.
    if (outcome?.ended === "value") assert.notEqual((outcome.value as { count: number }).count, 1020);
    else assert.match(JSON.stringify(outcome), /error|hang/);
  });

  it("sends the output of a bundle that goes on", async () => {
    assert.deepEqual(await scenarios.outputOfOpenBundle(), ["a", "b"]);
    assert.equal(without["outputOfOpenBundle"]?.ended, "error");
  });
});
