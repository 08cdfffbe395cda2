import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./control.scenario";

describe("Patch of the control stream", function () {
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

  it("a patched worker does not log each instruction", async () => {
    assert.equal(await scenarios.consoleLines(), 0);
    assert((valueWithout("consoleLines") as number) > 0);
  });

  it("a patched worker answers every instruction, also for bundles that it does not know", async () => {
    const kinds = ["harnessMonitoringInfos", "monitoringInfos", "finalizeBundle", "processBundleProgress"];
    assert.deepEqual(await scenarios.instructions(), kinds);
    assert.deepEqual(valueWithout("instructions"), ["error", "error", "error", "error"]);
  });

  it("a patched worker resolves the short ids of metrics", async () => {
    assert.equal(await scenarios.monitoringInfos(), 2); // of the input and of the output
    assert.equal(valueWithout("monitoringInfos"), 0);
  });

  it("a patched worker splits bundles without state, and no bundles with state", async () => {
    assert.equal(await scenarios.splitsWithoutState(), 1);
    assert.equal(await scenarios.splitsOfState(), 0);
    assert.equal(valueWithout("splitsOfState"), 1);
  });

  it("a patched worker reports the residual of a restriction, and finalizes a bundle once", async () => {
    assert.deepEqual(await scenarios.residual(), {
      output: ["a"],
      residuals: [{ restriction: true, watermarks: ["1 s 234000000 ns"], delayNanos: 250_000_000 }],
      requiresFinalization: true,
      before: [],
      calls: ["commit a"],
    });
    const broken = valueWithout("residual") as Awaited<ReturnType<typeof scenarios.residual>>;
    assert.deepEqual([broken.residuals, broken.requiresFinalization, broken.calls], [[], false, []]);
  });

  it("a patched worker finalizes a bundle after the listener resolves, and aborts its finalizers when the listener rejects", async () => {
    const { whileListening, errors, calls } = await scenarios.listenerBeforeFinalize();
    assert.deepEqual(whileListening, []);
    assert.equal(errors[0], "");
    assert.match(errors[1] ?? "", /the disk is full/);
    assert.deepEqual(calls, ["commit a in checkpoint 7", "abort b"]);
  });

  it("a patched worker aborts waiting and running work when the control stream ends", async () => {
    assert.deepEqual(await scenarios.streamEnds(), ["abort a", "abort wait", "stopped wait"]);
    assert.deepEqual(valueWithout("streamEnds"), []);
  });

  it("a patched worker stops the other restrictions of a failed bundle, aborts its finalizers, and runs the next bundle", async () => {
    const { error, calls, output } = await scenarios.failedBundle();
    assert.match(error, /this restriction fails[^]*at /, "with its stack");
    assert.deepEqual(calls, ["abort fail", "abort wait", "stopped wait"]);
    assert.deepEqual(output, ["b"]);
    const broken = valueWithout("failedBundle") as Awaited<ReturnType<typeof scenarios.failedBundle>>;
    assert.deepEqual(broken.calls, ["stopped wait"], "no finalizer is aborted");
  });

  it("a patched worker fetches a descriptor once, and fails the bundle when it does not exist", async () => {
    const { requests, error } = await scenarios.descriptors();
    assert.equal(requests, 1);
    assert.match(error, /no such descriptor/);
    assert.equal((valueWithout("descriptors") as { requests: number }).requests, 2);
  });

  it("a patched worker survives a runner that breaks the control stream", async () => {
    assert.equal(await scenarios.streamBreaks(), "alive");
    const outcome = without["streamBreaks"];
    assert(outcome?.ended === "crash", JSON.stringify(outcome));
    assert.match(outcome.message, /broke the control stream/);
  });
});
