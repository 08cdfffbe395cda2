import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./metrics.scenario";

describe("Patch of the metrics", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("metrics", require.resolve("./metrics.scenario"), ["perBundle", "ofDoFns"]);
  });

  it("each bundle reports its own element counts and user metrics, not the sum of all bundles", async () => {
    const twos = [[2], [2], [2], [2]]; // elements of two collections, a counter of the SDK, and one of the library
    assert.deepEqual(await scenarios.perBundle(), [twos, twos, twos]);
    const cumulative = [2, 4, 6].map((n) => [[n], [n], [n]]);
    assert.deepEqual(without["perBundle"], { ended: "value", value: cumulative });
  });

  it("counters, distributions and gauges of every kind of DoFn belong to their step, also after an await", async () => {
    assert.deepEqual(await scenarios.ofDoFns(), {
      plain: ["sum_int64 processed user: 2", "sum_int64 sdk user: 2"],
      bundle: ["sum_int64 processed user: 2", "distribution_int64 lengths test: 2 3 1 2", "latest_int64 last user: 23"],
      afterAwait: ["sum_int64 processed user: 2"],
      splittable: ["sum_int64 processed user: 4"],
    });
    const outcome = without["ofDoFns"];
    assert(outcome?.ended === "value");
    const { plain } = outcome.value as Record<string, string[]>;
    assert.match(plain?.[0] ?? "", /^of undefined sum_int64 {2}sdk/, "no label of the step, and no namespace");
  });

  it("metrics of a stateful DoFn include those of the end of its keys", async () => {
    assert.deepEqual(await scenarios.ofStatefulDoFn(), [[true, 203]]);
  });

  it("a step that holds the event loop reports its execution time", async () => {
    assert.deepEqual(await scenarios.executionTime(), [
      { urn: "pardo_execution_time:process_bundle_msecs", isLongEnough: true },
      { urn: "ptransform_execution_time:total_msecs", isLongEnough: true },
    ]);
  });

  it("the sizes of elements are sampled, of the input from what was received", async () => {
    const tenOfFourBytes = [10, 40, 4, 4];
    assert.deepEqual(await scenarios.byteSizes(), [tenOfFourBytes, tenOfFourBytes]);
  });

  it("the progress of a bundle has the index of its newest element", async () => {
    const values = (await scenarios.readIndex()).map(({ urn, values }) => [urn, ...values]);
    assert.deepEqual(values, [
      ["element_count", 2],
      ["element_count", 2],
      ["data_channel:read_index", 1],
    ]);
  });
});
