import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./control.scenario";

describe("Repair of the control stream", function () {
  this.timeout(40_000);
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("control", require.resolve("./control.scenario"), Object.keys(scenarios));
  });

  function valueWithout(name: keyof typeof scenarios): unknown {
    const outcome = without[name];
    assert(outcome?.ended === "value", `${name}: ${JSON.stringify(outcome)}`);
    return outcome.value;
  }

  it("does not log each instruction", async () => {
    assert.equal(await scenarios.consoleLines(), 0);
    assert((valueWithout("consoleLines") as number) > 0);
  });

  it("answers every instruction of the protocol, also about bundles it does not know", async () => {
    const kinds = ["harnessMonitoringInfos", "monitoringInfos", "finalizeBundle", "processBundleProgress"];
    assert.deepEqual(await scenarios.instructions(), kinds);
    assert.deepEqual(valueWithout("instructions"), ["error", "error", "error", "error"]);
  });

  it("tells the metrics behind short ids", async () => {
    assert.equal(await scenarios.monitoringInfos(), 2); // of the input and of the output
    assert.equal(valueWithout("monitoringInfos"), 0);
  });

  it("splits bundles, but not those with state", async () => {
    assert.equal(await scenarios.splitsWithoutState(), 1);
    assert.equal(await scenarios.splitsOfState(), 0);
    assert.equal(valueWithout("splitsOfState"), 1);
  });

  it("reports what is left of a restriction, and finalizes once", async () => {
    assert.deepEqual(await scenarios.residual(), {
      output: ["a"],
      residuals: [{ restriction: true, watermarks: ["1 s 234000000 ns"], delayNanos: 250_000_000 }],
      requiresFinalization: true,
      before: [],
      settled: ["commit a"],
    });
    const broken = valueWithout("residual") as Awaited<ReturnType<typeof scenarios.residual>>;
    assert.deepEqual([broken.residuals, broken.requiresFinalization, broken.settled], [[], false, []]);
  });

  it("finalizes a bundle only after the listener is done, and aborts its finalizers when the listener fails", async () => {
    const { whileListening, errors, settled } = await scenarios.listenerBeforeFinalize();
    assert.deepEqual(whileListening, []);
    assert.equal(errors[0], "");
    assert.match(errors[1] ?? "", /the disk is full/);
    assert.deepEqual(settled, ["commit a", "abort b"]);
  });

  it("aborts what waits and what runs when the control stream ends", async () => {
    assert.deepEqual(await scenarios.streamEnds(), ["abort a", "abort wait", "stopped wait"]);
    assert.deepEqual(valueWithout("streamEnds"), []);
  });

  it("stops the other slices of a failed bundle, awaits them, aborts its finalizers, and goes on", async () => {
    const { error, settled, output } = await scenarios.failedBundle();
    assert.match(error, /this restriction fails[^]*at /, "with its stack");
    assert.deepEqual(settled, ["abort fail", "abort wait", "stopped wait"]);
    assert.deepEqual(output, ["b"]);
    const broken = valueWithout("failedBundle") as Awaited<ReturnType<typeof scenarios.failedBundle>>;
    assert.deepEqual(broken.settled, ["stopped wait"], "nothing is aborted");
  });

  it("fetches a descriptor once, and fails the bundle when there is none", async () => {
    const { requests, error } = await scenarios.descriptors();
    assert.equal(requests, 1);
    assert.match(error, /no such descriptor/);
    assert.equal((valueWithout("descriptors") as { requests: number }).requests, 2);
  });

  it("survives a runner that breaks the control stream", async () => {
    assert.equal(await scenarios.streamBreaks(), "alive");
    const outcome = without["streamBreaks"];
    assert(outcome?.ended === "crash", JSON.stringify(outcome));
    assert.match(outcome.message, /broke the control stream/);
  });
});
