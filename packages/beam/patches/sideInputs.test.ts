import "../sdk";
import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./sideInputs.scenario";

describe("Patch of the side inputs", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    const file = require.resolve("./sideInputs.scenario");
    without = await withoutPatch("sideInputs", file, Object.keys(scenarios));
  });

  it("every element of a bundle sees all elements of an iterable side input of the SDK", async () => {
    assert.deepEqual(await scenarios.iterable(), ["3", "3", "3"]);
    assert.deepEqual(without["iterable"], { ended: "value", value: ["3", "0", "0"] });
  });

  it("an unbounded input may have a bounded side input, and its output is unbounded", async () => {
    assert.equal(await scenarios.bounded(), true);
    assert.deepEqual(without["bounded"], {
      ended: "error",
      message: "Error: Unable to deduce single value from [object Set]",
    });
  });

  it("a side input in windows that the SDK cannot map is refused when the pipeline is built, and the error says why", async () => {
    await assert.rejects(
      scenarios.otherWindows(),
      /count: the windows of the side input side differ .*; use applyDoFn/,
    );
    assert.deepEqual(without["otherWindows"], {
      ...{ ended: "error", message: "Error: Unable to deduce single value from [object Set]" },
    });
  });
});
