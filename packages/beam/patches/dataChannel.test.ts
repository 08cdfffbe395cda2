import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./dataChannel.scenario";

const MIB = 1 << 20;
const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe("Patch of the data channel", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("dataChannel", require.resolve("./dataChannel.scenario"), [
      "slowOperator",
      "brokenStream",
      "endedStream",
      "leftOver",
    ]);
  });

  /** The length of the output without the patch. */
  function lengthWithout(name: keyof typeof scenarios): number {
    const outcome = without[name];
    assert(outcome?.ended === "value", JSON.stringify(outcome));
    return (outcome.value as unknown[]).length;
  }

  it("the patched data channel delivers every element of a bundle to an asynchronous operator", async () => {
    assert.deepEqual(await scenarios.slowOperator(), texts(200));
    assert(lengthWithout("slowOperator") < 200, "nothing is lost without the patch");
  });

  it("the patched data channel keeps the order of data that arrived before the bundle started", async () => {
    assert.deepEqual(await scenarios.earlyData(), texts(100));
  });

  it("a worker whose data stream breaks fails its bundles, and ends so that it is replaced", async () => {
    const { error, why } = await scenarios.brokenStream();
    assert.match(error, /broke the data stream/);
    assert.match(why, /data or state stream was lost.*broke the data stream/);
    assert.equal(without["brokenStream"]?.ended, "hang");
  });

  it("the patched data channel fails bundles whose data stream ends", async () => {
    assert.match(await scenarios.endedStream(), /data stream ended/);
    assert.equal(without["endedStream"]?.ended, "hang");
  });

  it("the patched data channel delivers the timers of a bundle between its elements, and sends those that a step sets", async () => {
    assert.deepEqual(await scenarios.timers(), {
      error: "",
      output: ["timer early", "a", "b", "timer between", "c", "timer late"],
      set: ["early+", "between+", "late+", "."],
    });
  });

  it("a timer whose handler throws fails its bundle at once", async () => {
    assert.match(await scenarios.failingTimer(), /this timer fails/);
  });

  it("data for a slow step stays with the runner: the worker holds a bounded number of bytes, and later bundles get theirs", async () => {
    const { most, ...rest } = await scenarios.slowConsumer();
    assert.deepEqual(rest, { error: "", runnerWaits: true, other: ["behind all this data"], left: 0 });
    assert(most < 3 * MIB, `${most} bytes of 16 MiB`);
  });

  it("a runner that answers state requests only after it has sent its data does not stop a worker that takes no more data", async () => {
    assert.deepEqual(await scenarios.stateBehindData(), { error: "", outputs: 64 });
  });

  it("a runner that takes output only after it has sent its data does not stop a worker that takes no more data", async () => {
    assert.deepEqual(await scenarios.outputBehindData(), { error: "", outputs: 96 });
  });

  it("steps wait for a runner that is slow to take their output: a bounded number of bytes waits for it", async () => {
    const { error, held, processed, end } = await scenarios.slowRunner();
    assert.equal(error, "");
    assert(held < 3 * MIB, `${held} bytes of 32 MiB`);
    assert(processed < 512, "the step waits");
    assert.equal(end, 512);
  });

  it("the patched data channel frees the memory of a bundle that has ended", async () => {
    assert.deepEqual(await scenarios.leftOver(), [0]);
    assert.deepEqual(without["leftOver"], { ended: "value", value: [20] });
  });
});
