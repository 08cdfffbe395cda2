import "../sdk";
import assert from "node:assert/strict";
import Long from "long";
import { parDo, windowInto, withName, type PCollection } from "apache-beam";
import { iterableSideInput } from "apache-beam/transforms/pardo";
import { IntervalWindowCoder } from "apache-beam/coders/standard_coders";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import { fixedWindows, sessions, slidingWindows } from "apache-beam/transforms/windowings";
import { GlobalWindow, IntervalWindow } from "apache-beam/values";
import { applyDoFn, pipe, stringCoder, textKvCoder, type ApplyDoFnOptions } from "../index";
import { encode } from "../testing/codec";
import * as fixtures from "../testing/doFnFixtures";
import { CountSideInput } from "../testing/fixtures";
import { MiniRunner, Timed, type SideSource } from "../testing/miniRunner";
import { sideInputWindowOf } from "./sideInputWindows";

type Where = { readonly sideInputId: string; readonly window?: Uint8Array; readonly key?: string };

describe("Side inputs of a DoFn", () => {
  let runner: MiniRunner;
  beforeEach(async () => void (runner = await MiniRunner.start()));
  afterEach(() => runner.close());

  /** Puts the elements of a side input into the runner. */
  function store(step: string, { sideInputId, window = new Uint8Array(), key }: Where, elements: Uint8Array): void {
    const base = { transformId: runner.transformId("d", step), sideInputId, window };
    const stateKey = fnApi.StateKey.create({
      type:
        key === undefined
          ? { oneofKind: "iterableSideInput", iterableSideInput: base }
          : { oneofKind: "multimapSideInput", multimapSideInput: { ...base, key: encode(stringCoder, [key]) } },
    });
    runner.stored.set(Buffer.from(fnApi.StateKey.toBinary(stateKey)).toString("base64"), Buffer.from(elements));
  }

  const readSides = (input: PCollection<string>, side: SideSource): PCollection<string> =>
    pipe(
      input,
      applyDoFn("read", new fixtures.ReadSides(), {
        output: stringCoder,
        sideInputs: {
          all: side("all", stringCoder),
          one: side("one", stringCoder),
          many: side("many", textKvCoder),
          single: side("single", textKvCoder),
        },
      }),
    );

  it("every element of a bundle sees all elements of iterable, singleton, multimap and map side inputs", async () => {
    await runner.describe("d", readSides);
    store("read", { sideInputId: "side.all" }, encode(stringCoder, ["x", "y", "z"]));
    store("read", { sideInputId: "side.one" }, encode(stringCoder, ["only"]));
    store("read", { sideInputId: "side.many", key: "b" }, encode(stringCoder, ["1", "2"]));
    store("read", { sideInputId: "side.single", key: "c" }, encode(stringCoder, ["v"]));
    const { output } = await runner.run("d", [["a", "b", "c", "b"]]);
    assert.deepEqual(output, [
      "a: 3 only  undefined",
      "b: 3 only 1+2 undefined",
      "c: 3 only  v",
      "b: 3 only 1+2 undefined",
    ]);
    // Each collection, and each key, is read once in a bundle, and anew in the next one.
    assert.equal(runner.stateRequests.length, 2 + 2 * 3);
    store("read", { sideInputId: "side.all" }, encode(stringCoder, ["x"]));
    assert.deepEqual((await runner.run("d", [["a"]])).output, ["a: 1 only  undefined"]);
  });

  it("an empty singleton has its default, and one with several elements fails the bundle", async () => {
    await runner.describe("d", readSides);
    assert.deepEqual((await runner.run("d", [["a"]])).output, ["a: 0 nothing  undefined"]);
    store("read", { sideInputId: "side.one" }, encode(stringCoder, ["1", "2"]));
    assert.match(
      (await runner.run("d", [["a"]])).response.error,
      /the side input one has 2 elements in a window, not one/,
    );
    store("read", { sideInputId: "side.one" }, new Uint8Array());
    store("read", { sideInputId: "side.single", key: "a" }, encode(stringCoder, ["1", "2"]));
    assert.match((await runner.run("d", [["a"]])).response.error, /side input single has several values for one key/);
  });

  it("each element sees the window of a side input that belongs to its own", async () => {
    await runner.describe("d", (input, side) =>
      pipe(
        input,
        withName("tens", windowInto(fixedWindows(10))),
        applyDoFn("rates", new fixtures.WithRates(), {
          sideInputs: { rates: pipe(side("of rates", stringCoder), withName("minutes", windowInto(fixedWindows(60)))) },
        }),
      ),
    );
    for (const minute of [0, 1]) {
      const window = new IntervalWindow(Long.fromNumber(minute * 60_000), Long.fromNumber((minute + 1) * 60_000));
      const where = { sideInputId: "side.rates", window: encode(new IntervalWindowCoder(), [window]) };
      store("rates", where, encode(stringCoder, [`minute ${minute}`]));
    }
    const elements = [new Timed("a", 5_000), new Timed("b", 65_000), new Timed("c", 59_999)];
    assert.deepEqual((await runner.run("d", [elements])).output, ["a: minute 0", "b: minute 1", "c: minute 0"]);
  });

  it("a window of a side input is the earliest one that contains the end of the main window", () => {
    const ms = (n: number): Long => Long.fromNumber(n);
    const window = (start: number, end: number): IntervalWindow => new IntervalWindow(ms(start), ms(end));
    const of = (windowFn: ReturnType<typeof fixedWindows>, main: IntervalWindow | GlobalWindow): unknown =>
      sideInputWindowOf(windowFn.toProto(), main);
    assert.deepEqual(of(fixedWindows(10), window(0, 5_000)), window(0, 10_000));
    assert.deepEqual(of(fixedWindows(10), window(0, 10_000)), window(0, 10_000));
    assert.deepEqual(of(fixedWindows(10), window(-3_000, -1_000)), window(-10_000, 0));
    assert.deepEqual(of(slidingWindows(20, 10), window(20_000, 25_000)), window(10_000, 30_000));
    assert.deepEqual(of(slidingWindows(20, 10), window(-20_000, 0)), window(-20_000, 0));
    assert.throws(() => of(sessions(10), window(0, 1)), /beam:window_fn:session_windows:v1 cannot be a side input/);
    assert.throws(() => of(fixedWindows(10), new GlobalWindow()), /The global window has no window/);
  });

  it("side inputs whose windows cannot fit are refused when the pipeline is built", async () => {
    const describe = (main: boolean, side: Parameters<typeof windowInto>[0]): Promise<void> =>
      runner.describe("d", (input, source) => {
        const rates = pipe(source("of rates", stringCoder), withName("side", windowInto(side)));
        const windowed = main ? pipe(input, withName("main", windowInto(fixedWindows(10)))) : input;
        return pipe(windowed, applyDoFn("rates", new fixtures.WithRates(), { sideInputs: { rates } }));
      });
    await assert.rejects(
      describe(true, sessions(10)),
      /rates: the side input rates must be in global, fixed or sliding/,
    );
    await assert.rejects(
      describe(false, fixedWindows(10)),
      /the side input rates is windowed, and the input is in the glob/,
    );
  });

  it("a side input that is missing, unknown or without keys is refused when the pipeline is built", async () => {
    const build = (sideInputs: (side: SideSource) => object): Promise<void> =>
      runner.describe("d", (input, side) => {
        const options = { sideInputs: sideInputs(side) } as ApplyDoFnOptions<string, fixtures.Sides>;
        return pipe(input, applyDoFn("read", new fixtures.ReadSides(), options));
      });
    await assert.rejects(
      build(() => ({})),
      /read: the side input all is missing/,
    );
    const texts = (side: SideSource): object => ({ all: side("a", stringCoder), one: side("b", stringCoder) });
    await assert.rejects(
      build((side) => ({ ...texts(side), many: side("c", stringCoder) })),
      /read: the side input many must have a KV coder; apply withKvCoder/,
    );
    await assert.rejects(
      build((side) => ({
        ...texts(side),
        ...{ many: side("c", textKvCoder), single: side("d", textKvCoder), extra: side("e", stringCoder) },
      })),
      /read: the DoFn declares no side input extra/,
    );
  });

  it("a bundle fails when the state stream breaks while it waits for a side input, also of a ParDo of the SDK", async () => {
    for (const descriptor of ["sdk", "d"]) {
      runner.close();
      runner = await MiniRunner.start();
      await runner.describe("d", readSides);
      await runner.describe("sdk", (input, side) =>
        pipe(
          input,
          withName("count", parDo(new CountSideInput(), { side: iterableSideInput(side("side", stringCoder)) })),
        ),
      );
      runner.stateHangs = true;
      const { id, response } = runner.startBundle(descriptor);
      await runner.send(descriptor, id, ["a"], true);
      await runner.until(() => runner.stateRequests.length > 0, "the request for a side input");
      runner.breakState();
      assert.match((await response).error, /broke the state stream/, descriptor);
    }
  });
});
