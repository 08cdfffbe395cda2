import assert from "node:assert/strict";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios } from "./control.scenario";

/** Scenarios that need methods of the patch, or would only wait without it. */
const NEW = [
  "stubbornWork",
  "failingFinalizer",
  "failingAbort",
  "dataOfFailedBundles",
  "idleProcessor",
  "processMetrics",
  "progressOfBusyBundle",
  "twoWorkers",
];

describe("Patch of the control stream", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    const names = Object.keys(scenarios).filter((name) => !NEW.includes(name));
    without = await withoutPatch("control", require.resolve("./control.scenario"), names);
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

  it("a patched worker answers the error of a bundle at once, also when other work of the bundle ignores it", async () => {
    const { error, before, after } = await scenarios.stubbornWork();
    assert.match(error, /this restriction fails/);
    assert.deepEqual(before, [], "the answer does not wait");
    assert.deepEqual(after, ["stopped stubborn", "abort stubborn", "abort fail"]);
  });

  it("a patched worker calls every finalizer of a bundle, also when one of them throws", async () => {
    const { error, calls } = await scenarios.failingFinalizer();
    assert.match(error, /this finalizer fails/);
    const commits = ["commit a", "commit bad", "commit b"];
    assert.deepEqual(calls, [...commits, "abort a", "abort bad", "abort b", "abort fail"]);
  });

  it("a patched worker tells every step that a bundle has failed, also when one of them throws", async () => {
    const { error, steps } = await scenarios.failingAbort();
    assert.match(error, /this element fails/);
    assert.deepEqual(steps, ["a", "b", "c"]);
  });

  it("a patched worker drops data that arrives after its bundle has failed", async () => {
    assert.deepEqual(await scenarios.dataOfFailedBundles(), [0]);
  });

  it("a patched worker tears down what has not been used for a minute", async () => {
    assert.deepEqual(await scenarios.idleProcessor(), { before: 0, after: 1, kept: 0, output: ["b"] });
  });

  it("a patched worker reports the requests of its process to services", async () => {
    const urn = "beam:metric:io:api_request_count:v1";
    assert.deepEqual(await scenarios.processMetrics(), [
      [urn, "ok", 2],
      [urn, "503", 1],
    ]);
  });

  it("progress is answered while a step works through many elements", async () => {
    assert.deepEqual(await scenarios.progressOfBusyBundle(), ["progress", "bundle"]);
  });

  it("the end of one worker does not touch another worker of the process", async () => {
    assert.deepEqual(await scenarios.twoWorkers(), { gone: ["worker 1"], output: ["a"] });
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
