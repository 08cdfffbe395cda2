import assert from "node:assert/strict";
import { formatTable, medianFigures, medianTable, type RunFigures } from "./figures";
import { median, percentile } from "./report";

const run = (name: string, eventsPerSecond: number, isExact = true): RunFigures => ({
  name,
  events: 1000,
  isExact,
  seconds: 1000 / eventsPerSecond,
  readSeconds: 1,
  eventsPerSecond,
  cpuPerMillion: { jvm: 70, worker: 30, all: 100 },
  peakRssMiB: { jvm: 400, worker: 200, all: 600 },
  share: { own: 0.5, all: 0.75 },
  problems: [],
});

describe("figures of benchmarks", () => {
  it("the medians of a program leave out runs that were not exact", () => {
    const runs = [run("a", 100), run("a", 9999, false), run("a", 300), run("a", 200), run("b", 50, false)];
    assert.equal(medianFigures(runs.filter(({ name }) => name === "a"))?.eventsPerSecond, 200);
    assert.equal(medianFigures([run("b", 50, false)]), undefined);
    const [, a = "", b = ""] = medianTable(runs).split("\n");
    assert.match(a, /^a +3 of 4 +200 +5\.0 +1\.0 +100 +70 +30 +600 +400 +200 +50 % +75 %$/);
    assert.match(b, /^b +0 of 1$/);
  });

  it("the columns of a table are aligned", () => {
    assert.equal(
      formatTable([
        ["", "n"],
        ["long", "10000"],
        ["x", "1"],
      ]),
      "          n\nlong  10000\nx         1",
    );
  });

  it("a percentile is one of the values, and the median of an even number of values lies between two", () => {
    const values = Array.from({ length: 20 }, (_, i) => 20 - i);
    assert.deepEqual(
      [50, 95, 100].map((p) => percentile(values, p)),
      [10, 19, 20],
    );
    assert.equal(median(values), 10.5);
    assert(Number.isNaN(percentile([], 50)));
  });
});
