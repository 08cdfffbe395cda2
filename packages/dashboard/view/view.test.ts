import assert from "node:assert/strict";
import fc from "fast-check";
import { METRIC_NAMES } from "../numbers/metrics";
import { PRESETS, type Preset, type Range } from "./period";
import { DEFAULT_VIEW, MEASURES, queryOfView, viewFromQuery } from "./view";

const ranges: fc.Arbitrary<Range> = fc.oneof(
  fc.constantFrom(...(Object.keys(PRESETS) as Preset[])).map((preset) => ({ preset })),
  fc
    .tuple(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 999 }))
    .map(([from, more]) => ({ from, to: from + more })),
);

describe("the view of a link", () => {
  it("the link of a view keeps it", () => {
    const fields = {
      range: ranges,
      compare: fc.boolean(),
      metric: fc.constantFrom(...METRIC_NAMES),
      // No halves of surrogate pairs: a link cannot have them.
      dimensions: fc.array(fc.string({ maxLength: 100, unit: "binary" }), { maxLength: 8 }),
      measure: fc.constantFrom(...MEASURES),
    };
    const views = fc.record(fields, { noNullPrototype: true });
    fc.assert(fc.property(views, (view) => assert.deepEqual(viewFromQuery(queryOfView(view)), view)));
  });

  it("the default view has a link without a query, and any other query gives a view that can be shown", () => {
    assert.equal(queryOfView(DEFAULT_VIEW), "");
    for (const query of [
      "?range=2000d",
      "?range=constructor",
      "?from=2026-05-01",
      "?from=2026-05-02&to=2026-05-01",
      "?from=2020-01-01&to=2026-05-01",
      "?from=2026-02-30&to=2026-03-01",
      "?metric=toString&bars=x&compare=maybe",
    ]) {
      assert.deepEqual(viewFromQuery(query), DEFAULT_VIEW, query);
    }
  });
});
