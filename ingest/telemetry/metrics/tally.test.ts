import assert from "node:assert/strict";
import { Registry } from "prom-client";
import { Tally } from "./tally";

describe("Tally", () => {
  it("Tally is a Prometheus counter that does not change when it is read", async () => {
    const registry = new Registry();
    const tally = new Tally(registry, { name: "a_total", help: "A", labelNames: ["x", "y"] });
    tally.add({ x: "1", y: 'quote " here' });
    tally.entry({ x: "1", y: 'quote " here' }).value += 2;
    tally.add({ x: "2", y: "" }, 5);
    for (let i = 0; i < 2; i++) {
      const lines = (await registry.metrics()).trim().split("\n");
      assert.deepEqual(lines, [
        "# HELP a_total A",
        "# TYPE a_total counter",
        'a_total{x="1",y="quote \\" here"} 3',
        'a_total{x="2",y=""} 5',
      ]);
    }
  });
});
