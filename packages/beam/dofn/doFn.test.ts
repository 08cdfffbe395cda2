import "../sdk";
import assert from "node:assert/strict";
import { parDo, windowInto, withName } from "apache-beam";
import { fixedWindows, slidingWindows } from "apache-beam/transforms/windowings";
import { applyDoFn, bundleParDo, pipe, stringCoder } from "../index";
import * as fixtures from "../testing/doFnFixtures";
import { Numbers, ThrowAt } from "../testing/fixtures";
import { MiniRunner, Timed } from "../testing/miniRunner";

/** The pane NO_FIRING of the Beam model: first, last, unknown timing. */
const NO_FIRING = 0x0f;

describe("DoFn", () => {
  let runner: MiniRunner;
  beforeEach(async () => void (runner = await MiniRunner.start()));
  afterEach(() => runner.close());

  it("a DoFn is set up once, and torn down when its worker ends", async () => {
    await runner.describe("d", (input) => pipe(input, applyDoFn("step", new fixtures.Lifecycle("kept"))));
    fixtures.lifecycle.length = 0;
    await runner.run("d", [["a"]]);
    await runner.run("d", [["b"]]);
    const calls = ["setup", "startBundle", "process a", "finishBundle", "startBundle", "process b", "finishBundle"];
    assert.deepEqual(
      fixtures.lifecycle,
      calls.map((call) => `kept ${call}`),
    );
    runner.endControl();
    await runner.until(() => fixtures.lifecycle.at(-1) === "kept teardown", "the teardown");
    assert.equal(fixtures.lifecycle.length, calls.length + 1);
  });

  it("a DoFn whose bundle fails is torn down, and the next bundle sets up another one", async () => {
    await runner.describe("d", (input) => pipe(input, applyDoFn("step", new fixtures.Lifecycle("failed"))));
    fixtures.lifecycle.length = 0;
    const { response } = await runner.run("d", [["fail"]]);
    assert.match(response.error, /this element fails/);
    await runner.until(() => fixtures.lifecycle.includes("failed teardown"), "the teardown");
    await runner.run("d", [["a"]]);
    assert.deepEqual(
      fixtures.lifecycle.map((call) => call.replace(/^failed /, "")),
      [
        "setup",
        "startBundle",
        "process fail",
        "bundleFailed this element fails",
        "teardown",
        "setup",
        "startBundle",
        "process a",
        "finishBundle",
      ],
    );
  });

  it("a DoFn whose bundle fails because of another step is torn down only after process() has ended", async () => {
    await runner.describe("d", (input) => ({
      slow: pipe(input, applyDoFn("slow", new fixtures.SlowLifecycle("slow"))),
      fails: pipe(input, bundleParDo("throw", new ThrowAt("a"), stringCoder)),
    }));
    fixtures.lifecycle.length = 0;
    fixtures.SlowLifecycle.bundleHasFailed = false;
    const { id, response } = runner.startBundle("d");
    await runner.send("d", id, ["a"], true);
    assert.match((await response).error, /cannot process a/);
    fixtures.SlowLifecycle.bundleHasFailed = true;
    await runner.until(() => fixtures.lifecycle.includes("slow teardown"), "the teardown");
    assert.deepEqual(fixtures.lifecycle.slice(-2), ["processed a", "slow teardown"]);
  });

  it("a DoFn processes one element after another, and after an await each has its own time", async () => {
    await runner.describe("d", (input) =>
      pipe(input, applyDoFn("letters", new fixtures.Letters()), applyDoFn("stamp", new fixtures.LateStamp())),
    );
    const { id, output, response } = await runner.run("d", [["abc"]]);
    assert.equal(response.error, "");
    assert.deepEqual(output, ["a@1", "b@2", "c@3"]);
    assert.deepEqual(
      runner.emitted(id).map(({ timestampMs }) => timestampMs),
      [1, 2, 3],
    );
  });

  it("a bundle DoFn that waits emits each element with its own time", async () => {
    await runner.describe("d", (input) =>
      pipe(
        input,
        applyDoFn("letters", new fixtures.Letters()),
        bundleParDo("late", new fixtures.LateEmit(), stringCoder),
      ),
    );
    const { id } = await runner.run("d", [["abc"]]);
    assert.deepEqual(
      runner.emitted(id).map(({ value, timestampMs, pane }) => [value, timestampMs, pane]),
      ["a", "b", "c"].map((value, i) => [value, i + 1, NO_FIRING]),
    );
  });

  it("outputs have time, window and pane of their element, once for each of its windows", async () => {
    await runner.describe("d", (input) =>
      pipe(
        input,
        withName("windows", windowInto(slidingWindows(20, 10))),
        applyDoFn("describe", new fixtures.Describe(), { output: stringCoder }),
      ),
    );
    const { id } = await runner.run("d", [[new Timed("a", 15_000)]]);
    assert.deepEqual(
      runner.emitted(id),
      ["[10000, 30000)", "[0, 20000)"].map((window) => {
        const value = `a 15000 ${window} UNKNOWN`;
        return { tag: "main", value, timestampMs: 15_000, window, pane: runner.emitted(id)[0]?.pane };
      }),
    );
  });

  it("bundle DoFns keep the windows of their input", async () => {
    await runner.describe("d", (input) =>
      pipe(
        input,
        withName("windows", windowInto(fixedWindows(10))),
        bundleParDo("late", new fixtures.LateEmit(), stringCoder),
      ),
    );
    const { id } = await runner.run("d", [[new Timed("a", 15_000)]]);
    assert.deepEqual(
      runner.emitted(id).map(({ value, window, timestampMs }) => [value, window, timestampMs]),
      [["a", "[10000, 20000)", 15_000]],
    );
  });

  it("the error for a bundle DoFn that emits at the end of a bundle of a windowed input says what to do", async () => {
    const described = runner.describe("d", (input) =>
      pipe(
        input,
        withName("windows", windowInto(fixedWindows(10))),
        bundleParDo("count", new fixtures.CountAtEnd(), stringCoder),
      ),
    );
    await assert.rejects(described, /^Error: count: the input is windowed, .*; use applyDoFn, or apply windowInto/);
  });

  it("a DoFn emits to several outputs", async () => {
    await runner.describe("d", (input) =>
      pipe(input, applyDoFn("sort", new fixtures.SortWords(), { output: stringCoder })),
    );
    const { id } = await runner.run("d", [[new Timed("one", 1), new Timed("three", 3)]]);
    const of = (tag: string): unknown[][] =>
      runner
        .emitted(id)
        .filter((emitted) => emitted.tag === tag)
        .map(({ value, timestampMs }) => [value, timestampMs]);
    assert.deepEqual(of("main"), [["one", 1]]);
    assert.deepEqual(of("long"), [["three", 99]]);
    assert.deepEqual(of("length"), [
      [3, 1],
      [5, 3],
    ]);
  });

  it("an output that the DoFn does not declare fails the bundle", async () => {
    await runner.describe("d", (input) => pipe(input, applyDoFn("any", new fixtures.OutputToAny())));
    const { response } = await runner.run("d", [["other"]]);
    assert.match(response.error, /any: the DoFn has no output other; it has main/);
  });

  it("a ParDo of the SDK with several outputs fails instead of dropping all but one", async () => {
    await runner.describe("d", (input) => {
      const main = pipe(input, withName("numbers", parDo(new Numbers(1))));
      return { main };
    });
    runner.addOutput("d", "numbers", "second");
    const { response } = await runner.run("d", [["a"]]);
    assert.match(response.error, /a DoFn of the SDK has one output, not 2 \(main, second\)/);
  });

  it("a DoFn returns outputs from generators, also from one that waits", async () => {
    await runner.describe("d", (input) =>
      pipe(input, applyDoFn("thrice", new fixtures.Thrice()), applyDoFn("describe", new fixtures.Describe())),
    );
    const { output } = await runner.run("d", [[new Timed("a", 1), new Timed("b", 2)]]);
    assert.deepEqual(
      output.map((line) => (line as string).slice(0, 4)),
      ["a0 1", "a1 1", "a2 1", "b0 2", "b1 2", "b2 2"],
    );
  });

  it("outputs of finishBundle have the window and time that the DoFn gives, and no pane", async () => {
    await runner.describe("d", (input) =>
      pipe(input, withName("windows", windowInto(fixedWindows(0.1))), applyDoFn("end", new fixtures.EmitAtEnd(true))),
    );
    const { id } = await runner.run("d", [["a"]]);
    assert.deepEqual(runner.emitted(id), [
      { tag: "main", value: "end", timestampMs: 555, window: "[500, 600)", pane: NO_FIRING },
    ]);
  });

  it("an output of finishBundle needs a window only when the input is windowed", async () => {
    await runner.describe("global", (input) => pipe(input, applyDoFn("end", new fixtures.EmitAtEnd(false))));
    const { id } = await runner.run("global", [["a"]]);
    assert.deepEqual(
      runner.emitted(id).map(({ window }) => window),
      ["global"],
    );
    await runner.describe("windowed", (input) =>
      pipe(input, withName("windows", windowInto(fixedWindows(1))), applyDoFn("end", new fixtures.EmitAtEnd(false))),
    );
    const { response } = await runner.run("windowed", [["a"]]);
    assert.match(response.error, /end: an output of finishBundle\(\) needs a window, because the input is windowed/);
  });

  const badTimes: [fixtures.BadTimeOf, RegExp][] = [
    ["nan", /must be a number of epoch milliseconds, not NaN/],
    ["undefined", /must be a number of epoch milliseconds, not undefined/],
    ["text", /must be a number of epoch milliseconds, not 1/],
    ["huge", /is out of the range of event times: 10000000000000000 ms/],
    ["finish", /must be a number of epoch milliseconds, not undefined/],
  ];
  it("an output with a time that is not a number fails the bundle instead of being in 1970", async () => {
    await runner.describe("d", (input) => pipe(input, applyDoFn("bad", new fixtures.BadTime())));
    for (const [what, error] of badTimes) {
      const { response, output } = await runner.run("d", [[what]]);
      assert.match(response.error, error, what);
      assert.deepEqual(output, []);
    }
  });

  it("an output after process() has returned is an error", async () => {
    await runner.describe("d", (input) => pipe(input, applyDoFn("late", new fixtures.TooLate())));
    const { response } = await runner.run("d", [["a"]]);
    assert.match(response.error, /late: a DoFn emitted an output after process\(\) had returned; await what it starts/);
  });

  it("a bundle fails when a DoFn catches the error of the step that follows", async () => {
    await runner.describe("d", (input) =>
      pipe(
        input,
        applyDoFn("catch", new fixtures.CatchAll(), { output: stringCoder }),
        bundleParDo("throw", new ThrowAt("a"), stringCoder),
      ),
    );
    const { response } = await runner.run("d", [["a"]]);
    assert.match(response.error, /cannot process a/);
  });
});
