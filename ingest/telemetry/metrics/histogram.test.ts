import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { CountingHistogram } from "./histogram";

describe("CountingHistogram", () => {
  it("CountingHistogram gives the same output as prom-client's histogram, for any values", async () => {
    const buckets = [0.5, 1, 2.5, 10];
    // Sums of multiples of 1/8 are exact, in any order.
    const value = fc.oneof(
      fc.integer({ min: -8, max: 100 }).map((n) => n / 8),
      fc.constantFrom(...buckets),
    );
    const observation = fc.record({ value, x: fc.constantFrom("a", "b"), y: fc.constantFrom("c", 'd"') });
    await fc.assert(
      fc.asyncProperty(fc.array(observation, { minLength: 1 }), async (observations) => {
        const [own, theirs] = [new Registry(), new Registry()];
        const described = { name: "h", help: "H", buckets, labelNames: ["x", "y"] as const };
        const counting = new CountingHistogram(own, described);
        const reference = new Histogram({ ...described, registers: [theirs] });
        for (const { value, x, y } of observations) {
          counting.series({ x, y }).observe(value);
          reference.observe({ x, y }, value);
        }
        const sorted = async (registry: Registry): Promise<string[]> => (await registry.metrics()).split("\n").sort();
        assert.deepEqual(await sorted(own), await sorted(theirs));
      }),
      { numRuns: 50 },
    );
  });
});
