import "../sdk";
import assert from "node:assert/strict";
import Long from "long";
import { parDo, windowInto, withName, type PCollection } from "apache-beam";
import { fixedWindows } from "apache-beam/transforms/windowings";
import { IntervalWindow, type KV } from "apache-beam/values";
import { applyDoFn, pipe, stringCoder, textKvCoder, windowingStrategy, withKvCoder } from "../index";
import * as fixtures from "../testing/doFnFixtures";
import { SplitPair } from "../testing/fixtures";
import { MiniRunner, Timed } from "../testing/miniRunner";

const byKey = withName("by key", (input: PCollection<string>): PCollection<KV<string, string>> =>
  pipe(input, withName("pair", parDo(new SplitPair())), withKvCoder("kv", textKvCoder)),
);

describe("Timers of a DoFn", () => {
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
    await runner.describe("told", (input) =>
      pipe(pipe(input, byKey), applyDoFn("told", new fixtures.DoAsTold(), { output: stringCoder })),
    );
    await runner.describe("windowed", (input) =>
      pipe(
        pipe(input, withName("windows", windowInto(fixedWindows(10))), byKey),
        applyDoFn("told", new fixtures.DoAsTold(), { output: stringCoder }),
      ),
    );
  });
  afterEach(() => runner.close());

  const tell = (key: string, what: string, timestampMs = 5): Timed => new Timed(`${key}=${what}`, timestampMs);

  it("timers of both time domains are set and cleared by key and tag, and the last change of a bundle counts", async () => {
    const { id, response } = await runner.run("told", [
      [
        tell("a", "later set 100"),
        tell("a", "later set 200 x"),
        tell("b", "later set 300"),
        tell("b", "later clear"),
        tell("a", "clock set 400"),
        tell("a", "later set 250 y 7"),
        tell("a", "later set 150"),
      ],
    ]);
    assert.equal(response.error, "");
    const set = (family: string, key: string, tag: string, fireMs: number, holdMs: number) => ({
      ...{ family, key, tag, window: "global", fireMs, holdMs },
    });
    assert.deepEqual(
      runner.timersSet("told", id).sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1)),
      [
        set("clock", "a", "", 400, 5),
        set("later", "a", "", 150, 150),
        set("later", "a", "x", 200, 200),
        set("later", "a", "y", 250, 7),
        { family: "later", key: "b", tag: "", window: "global" },
      ],
    );
  });

  it("a timer that fires has the state of its key, and emits at its output timestamp before the bundle ends", async () => {
    await runner.run("told", [[tell("a", "x"), tell("a", "y")]]);
    const timers = [{ family: "later", key: "a", tag: "t", fireMs: 100, holdMs: 40 }];
    const { id, output } = await runner.run("told", [[tell("a", "z")]], { timers });
    assert.deepEqual(output, ["a later t fired at 100 as 40 in global after 3"]);
    assert.equal(runner.emitted(id)[0]?.timestampMs, 40);
    assert.equal(runner.emitted(id)[0]?.pane, 0x0f);
  });

  it("elements and timers of a bundle are processed in the order in which they arrive", async () => {
    const { id } = runner.startBundle("told");
    await runner.send("told", id, [tell("a", "1")]);
    await runner.fire("told", id, [{ family: "later", key: "a", fireMs: 1 }]);
    await runner.send("told", id, [tell("a", "2")]);
    await runner.fire("told", id, [{ family: "clock", key: "a", fireMs: 2 }]);
    await runner.endInput("told", id);
    await runner.until(() => runner.output(id).length === 2, "the outputs of the timers");
    assert.deepEqual(
      runner.output(id).map((line) => (line as string).replace(/^.* after /, "")),
      ["1", "2"],
    );
  });

  it("a bundle that has timers only calls the DoFn", async () => {
    const { output } = await runner.run("told", [], { timers: [{ family: "clock", key: "k", fireMs: 9 }] });
    assert.deepEqual(output, ["k clock  fired at 9 as 9 in global after 0"]);
  });

  it("timers of windows are set to their end, and fire in their window", async () => {
    const { id } = await runner.run("windowed", [[tell("a", "later end", 1_000), tell("a", "later end", 11_000)]]);
    assert.deepEqual(
      runner.timersSet("windowed", id).map(({ window, fireMs, holdMs }) => [window, fireMs, holdMs]),
      [
        ["[0, 10000)", 9_999, 9_999],
        ["[10000, 20000)", 19_999, 19_999],
      ],
    );
    const window = new IntervalWindow(Long.fromNumber(10_000), Long.fromNumber(20_000));
    const fired = await runner.run("windowed", [], { timers: [{ family: "later", key: "a", window, fireMs: 19_999 }] });
    assert.deepEqual(fired.output, ["a later  fired at 19999 as 19999 in [10000, 20000) after 1"]);
    assert.equal(runner.emitted(fired.id)[0]?.window, "[10000, 20000)");
  });

  it("a relative timer counts from the element in event time, and ends with its window", async () => {
    const { id } = await runner.run("windowed", [
      [tell("a", "later relative 30", 1_000), tell("b", "later relative 60000", 1_000)],
    ]);
    assert.deepEqual(
      runner.timersSet("windowed", id).map(({ fireMs }) => fireMs),
      [1_030, 9_999],
    );
    const before = Date.now();
    const clock = await runner.run("told", [[tell("a", "clock relative 5000")]]);
    const fireMs = runner.timersSet("told", clock.id)[0]?.fireMs ?? 0;
    assert(fireMs >= before + 5_000 && fireMs <= Date.now() + 5_000, `${fireMs - before}`);
  });

  it("a timer that holds no watermark has no output timestamp", async () => {
    const { id } = await runner.run("told", [[tell("a", "later set 100 t none")]]);
    const [{ holdMs } = {}] = runner.timersSet("told", id);
    assert.equal(holdMs, 9223372036854776);
    const timers = [{ family: "later", key: "a", fireMs: 100, holdMs: 9223372036854776 }];
    const { response } = await runner.run("told", [], { timers });
    assert.match(response.error, /told: onTimer\(\) has no time/);
  });

  it("a timer that an earlier timer of the bundle has cleared or set again does not fire", async () => {
    const timers = [
      { family: "later", key: "a", tag: "clear", fireMs: 1 },
      { family: "later", key: "a", tag: "victim", fireMs: 2 },
      { family: "later", key: "b", tag: "victim", fireMs: 2 },
    ];
    const { id, output } = await runner.run("told", [], { timers });
    assert.deepEqual(
      output.map((line) => (line as string).slice(0, 14)),
      ["a later clear ", "b later victim"],
    );
    assert.deepEqual(runner.timersSet("told", id), [{ family: "later", key: "a", tag: "victim", window: "global" }]);
  });

  it("a timer that is set while timers are handled fires in its turn when a later one fires in the same bundle", async () => {
    await runner.describe("loop", (input) => pipe(pipe(input, byKey), applyDoFn("loop", new fixtures.Looping())));
    const timers = [
      { family: "later", key: "a", fireMs: 10 },
      { family: "later", key: "a", tag: "last", fireMs: 35 },
    ];
    const { id, output } = await runner.run("loop", [], { timers });
    assert.deepEqual(output, ["10", "20", "30", "last35"]);
    // The timer after that is the runner's.
    assert.deepEqual(
      runner.timersSet("loop", id).map(({ tag, fireMs }) => [tag, fireMs]),
      [["", 40]],
    );
  });

  it("a window expires once, with its state, after the timers and elements of the bundle, and at the end of the window", async () => {
    await runner.describe("counts", (input) =>
      pipe(
        pipe(
          input,
          withName("late", windowInto(fixedWindows(10), windowingStrategy({ allowedLatenessMs: 2_000 }))),
          byKey,
        ),
        applyDoFn("counts", new fixtures.CountWindows(), { output: stringCoder }),
      ),
    );
    const family = "__windowEnd";
    const { id } = await runner.run("counts", [[tell("a", "x", 1_000), tell("a", "y", 2_000), tell("b", "x", 11_000)]]);
    const expiry = (key: string, window: string, fireMs: number, holdMs: number) => ({
      ...{ family, key, tag: "", window, fireMs, holdMs },
    });
    assert.deepEqual(
      runner.timersSet("counts", id).filter((timer) => timer.family === family),
      [expiry("a", "[0, 10000)", 11_999, 9_999), expiry("b", "[10000, 20000)", 21_999, 19_999)],
    );
    const window = new IntervalWindow(Long.fromNumber(0), Long.fromNumber(10_000));
    const timers = [
      { family, key: "a", window, fireMs: 11_999, holdMs: 9_999 },
      { family: "end", key: "a", window, fireMs: 9_999 },
    ];
    const fired = await runner.run("counts", [[tell("a", "z", 3_000)]], { timers });
    assert.deepEqual(fired.output, ["a [0, 10000) ends with 3", "a [0, 10000) expires with 3 as 9999"]);
    assert.deepEqual(
      runner.timersSet("counts", fired.id).filter((timer) => timer.family === family),
      [],
    );
  });

  const wrong: [string, RegExp][] = [
    ["later set nothing", /told: the time of the timer later must be a number of epoch milliseconds, not NaN/],
    ["later set 10001", /the timer later cannot be set: its time, 10001 ms, is after the end of its window, 9999 ms/],
    ["later set 50 t 51", /its output timestamp, 51 ms, is after its time, 50 ms/],
    ["clock set 50 t 10000", /its output timestamp, 10000 ms, is after the end of its window, 9999 ms/],
    ["clock end", /told: the timer clock is not in event time, so no window ends for it/],
  ];
  it("a timer with a time that cannot be fails the bundle, and the error says which and why", async () => {
    for (const [what, error] of wrong) {
      const { response } = await runner.run("windowed", [[tell("a", what)]]);
      assert.match(response.error, error, what);
    }
  });

  it("a bundle fails when the data stream breaks while it waits for timers", async () => {
    const { id, response } = runner.startBundle("told");
    await runner.send("told", id, [tell("a", "x")], true);
    await runner.until(() => runner.stateRequests.length > 0, "the request for state");
    runner.breakData();
    assert.match((await response).error, /broke the data stream/);
  });
});
