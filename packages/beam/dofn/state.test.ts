import "../sdk";
import assert from "node:assert/strict";
import { parDo, windowInto, withName, type PCollection } from "apache-beam";
import { KVCoder } from "apache-beam/coders/required_coders";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import { fixedWindows, sessions } from "apache-beam/transforms/windowings";
import type { KV } from "apache-beam/values";
import { applyDoFn, pipe, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";
import * as fixtures from "../testing/doFnFixtures";
import { SplitPair } from "../testing/fixtures";
import { MiniRunner, Timed } from "../testing/miniRunner";

const byKey = (input: PCollection<string>): PCollection<KV<string, string>> =>
  pipe(input, withName("pair", parDo(new SplitPair())), withKvCoder("kv", textKvCoder));

describe("State of a DoFn", () => {
  let runner: MiniRunner;
  beforeEach(async () => void (runner = await MiniRunner.start()));
  afterEach(() => runner.close());

  const requests = (kind: string): number => runner.stateRequests.filter((request) => request === kind).length;

  it("every kind of state continues in the next bundle, with and without the cache, and after a clear", async () => {
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("every", new fixtures.EveryState())));
    for (const cacheToken of [undefined, "every state"]) {
      runner.stored.clear();
      const options = cacheToken === undefined ? {} : { cacheToken };
      const run = async (...elements: string[]): Promise<unknown[]> =>
        (await runner.run("d", [elements], options)).output;
      assert.deepEqual(await run("a=x", "a=yy", "b=z"), ["a: yy xyy 3 xyy x1yy1", "b: z z 1 z z1"]);
      assert.deepEqual(await run("a=x"), ["a: x xyyx 4 xyy x2yy1"]);
      assert.deepEqual(await run("a=clear"), ["a: undefined  0  "]);
      assert.equal([...runner.stored.values()].length, 5, "the states of a are still stored");
      assert.deepEqual(await run("a=w", "b=z"), ["a: w w 1 w w1", "b: z zz 2 z z2"]);
    }
  });

  it("a map is compacted, and keeps its entries", async () => {
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("every", new fixtures.EveryState())));
    for (let i = 0; i < 40; i++) await runner.run("d", [["a=x", "a=y"]]);
    const { output } = await runner.run("d", [["a=x"]]);
    assert.match(output[0] as string, / xy x41y40$/);
    const sizes = [...runner.stored.values()].map(({ length }) => length);
    // The bag has 81 elements of 2 bytes; the map about as many changes of 6 bytes unless it is compacted.
    assert(Math.max(...sizes) < 300, sizes.join());
  });

  it("a state that is read lazily needs no request in a bundle that only adds", async () => {
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("blind", new fixtures.AddBlindly())));
    await runner.run("d", [["read=1", "read=2", "other=3"]]);
    assert.deepEqual([requests("get"), requests("append")], [1, 2]);
    const { output } = await runner.run("d", [["read=?", "other=4"]]);
    assert.deepEqual(output, ["1,2"]);
    assert.deepEqual([requests("get"), requests("append")], [2, 3]);
  });

  it("state is kept for keys of any coder, and for each window", async () => {
    await runner.describe("d", (input) =>
      pipe(
        input,
        withName("windows", windowInto(fixedWindows(10))),
        applyDoFn("key", new fixtures.KeyByNumber()),
        withKvCoder("kv", new KVCoder(new VarIntCoder(), stringCoder)),
        applyDoFn("count", new fixtures.CountNumbers()),
      ),
    );
    for (let bundle = 1; bundle <= 2; bundle++) {
      const elements = [new Timed("300", 5_000), new Timed("-7", 5_000), new Timed("300", 15_000)];
      const { id, output } = await runner.run("d", [elements]);
      const expected = [`300 [0, 10000) ${bundle}`, `-7 [0, 10000) ${bundle}`, `300 [10000, 20000) ${bundle}`];
      assert.deepEqual(output, expected);
      assert.deepEqual(
        runner.emitted(id).map(({ window }) => window),
        ["[0, 10000)", "[0, 10000)", "[10000, 20000)"],
      );
    }
  });

  it("the outputs of finishKey have time, window and pane of their own key", async () => {
    await runner.describe("d", (input) =>
      pipe(
        pipe(input, withName("windows", windowInto(fixedWindows(10))), byKeyTransform),
        statefulParDo("count", new fixtures.CountByKey(), { input: textKvCoder, output: stringCoder }),
      ),
    );
    const elements = [new Timed("a=1", 1_000), new Timed("a=2", 11_000), new Timed("b=1", 7), new Timed("a=3", 2_000)];
    const { id } = await runner.run("d", [elements]);
    assert.deepEqual(
      runner.emitted(id).map(({ value, timestampMs, window, pane }) => [value, timestampMs, window, pane]),
      [
        ["a=2", 2_000, "[0, 10000)", 0x0f],
        ["a=1", 11_000, "[10000, 20000)", 0x0f],
        ["b=1", 7, "[0, 10000)", 0x0f],
      ],
    );
  });

  it("the error for state in windows that merge says what to do", async () => {
    const described = runner.describe("d", (input) =>
      pipe(
        pipe(input, withName("windows", windowInto(sessions(10))), byKeyTransform),
        applyDoFn("every", new fixtures.EveryState()),
      ),
    );
    await assert.rejects(
      described,
      /every: state and timers are not possible in windows that merge; group by key first/,
    );
  });

  const misdeclared: [ConstructorParameters<typeof fixtures.Declares>[0], RegExp][] = [
    [{ outputs: ["main"] }, /d: "main" is the tag of the main output; use another one/],
    [{ timers: ["later"] }, /d: the DoFn declares timers and has no method onTimer/],
    [{ states: ["__expiry"] }, /d: the name __expiry is reserved; use one without "__"/],
  ];
  it("declarations that cannot work are refused when the pipeline is built", async () => {
    for (const [names, error] of misdeclared) {
      const described = runner.describe("d", (input) =>
        pipe(byKey(input), applyDoFn("d", new fixtures.Declares(names))),
      );
      await assert.rejects(described, error);
    }
  });

  it("a timer without an output timestamp does not disturb the expiry of the state", async () => {
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("d", new fixtures.ExpiresWithTimer())));
    const timers = [{ family: "later", key: "a", fireMs: 5, holdMs: 9223372036854776 }];
    const { id, response } = await runner.run("d", [[new Timed("a=1", 500)]], { timers });
    assert.equal(response.error, "");
    assert.deepEqual(
      runner.timersSet("d", id).map(({ family, fireMs }) => [family, fireMs]),
      [["__expiry", 1_600]],
    );
  });

  it("the state of a key expires after its last element in event time", async () => {
    const doFn = new fixtures.CountUntilExpiry(1_000, "event");
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("count", doFn)));
    const first = await runner.run("d", [[new Timed("a=1", 5_000), new Timed("a=2", 4_000)]]);
    const [timer] = runner.timersSet("d", first.id);
    assert.deepEqual(timer, {
      family: "__expiry",
      key: "a",
      tag: "",
      window: "global",
      fireMs: 6_100,
      holdMs: 9223372036854776,
    });
    // An element within the tenth by which the timer is late does not set it again.
    const second = await runner.run("d", [[new Timed("a=3", 5_050)]]);
    assert.deepEqual([second.output, runner.timersSet("d", second.id)], [["a=3"], []]);
    // A timer that was replaced in the meantime does not clear the state.
    const third = await runner.run("d", [[new Timed("a=4", 6_000)]]);
    assert.equal(runner.timersSet("d", third.id)[0]?.fireMs, 7_100);
    await runner.run("d", [], { timers: [{ family: "__expiry", key: "a", fireMs: 6_100 }] });
    assert.deepEqual((await runner.run("d", [[new Timed("a=5", 6_000)]])).output, ["a=5"]);
    await runner.run("d", [], { timers: [{ family: "__expiry", key: "a", fireMs: 7_100 }] });
    assert.equal(runner.stored.size, 0, "the state is still stored");
    assert.deepEqual((await runner.run("d", [[new Timed("a=6", 8_000)]])).output, ["a=1"]);
  });

  it("the state of a key expires after its last element in processing time, and the timer holds no watermark", async () => {
    const doFn = new fixtures.CountUntilExpiry(3_600_000, "processing");
    await runner.describe("d", (input) => pipe(byKey(input), applyDoFn("count", doFn)));
    const before = Date.now();
    const { id } = await runner.run("d", [["a=1", "b=1"]], { cacheToken: "expiry" });
    const timers = runner.timersSet("d", id);
    assert.deepEqual(
      timers.map(({ key }) => key),
      ["a", "b"],
    );
    for (const { fireMs = 0, holdMs } of timers) {
      assert(fireMs >= before + 3_600_000 && fireMs <= Date.now() + 3_960_001, `${fireMs - before}`);
      assert.equal(holdMs, 9223372036854776);
    }
    const second = await runner.run("d", [["a=2"]], { cacheToken: "expiry" });
    assert.deepEqual(runner.timersSet("d", second.id), [], "the timer was set again at once");
    const fireMs = timers[0]?.fireMs ?? 0;
    await runner.run("d", [], { cacheToken: "expiry", timers: [{ family: "__expiry", key: "a", fireMs }] });
    assert.deepEqual((await runner.run("d", [["a=3", "b=2"]], { cacheToken: "expiry" })).output, ["a=1", "b=2"]);
  });
});

const byKeyTransform = withName("by key", byKey);
