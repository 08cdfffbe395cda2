import "../sdk";
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { create, impulse, parDo, windowInto, withName, type PCollection, type Root } from "apache-beam";
import { KVCoder } from "apache-beam/coders/required_coders";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import { withCoderInternal } from "apache-beam/transforms/internal";
import { iterableSideInput } from "apache-beam/transforms/pardo";
import { fixedWindows } from "apache-beam/transforms/windowings";
import type { KV } from "apache-beam/values";
import {
  applyDoFn,
  bundleParDo,
  pipe,
  splittableParDo,
  stringCoder,
  textKvCoder,
  withKvCoder,
  type FlinkRun,
} from "../index";
import * as fixtures from "../testing/doFnFixtures";
import { AppendToFile, CountSideInput, SplitPair } from "../testing/fixtures";
import { FlinkHarness, LIMIT_MS } from "../testing/flinkHarness";

/** The cases share one job, which runs until the tests have ended. */
describe("DoFns on Flink", function () {
  this.timeout(400_000);
  const h = new FlinkHarness();
  let run: FlinkRun;

  const byKey = (name: string) =>
    withName(name, (input: PCollection<string>): PCollection<KV<string, string>> =>
      pipe(input, withName("pair", parDo(new SplitPair())), withKvCoder("kv", textKvCoder)),
    );
  const writeTo = (name: string) => bundleParDo(`write ${name}`, new AppendToFile(h.file(name)), stringCoder);
  const output = { output: stringCoder };

  function build(root: Root): PCollection<unknown> {
    const lines = pipe(root, impulse(), splittableParDo("lines", new fixtures.Lines(h.file("in")), stringCoder));
    const { main, timers, windows, states, sides } = pipe(lines, applyDoFn("route", new fixtures.Route(), output));
    pipe(timers, byKey("by a"), applyDoFn("timers", new fixtures.DoAsTold(), output), writeTo("timers"));
    pipe(
      pipe(windows, withName("tens", windowInto(fixedWindows(10))), byKey("by b")),
      applyDoFn("windows", new fixtures.DoAsTold(), output),
      writeTo("windows"),
    );
    pipe(states, byKey("by c"), applyDoFn("states", new fixtures.EveryState(), output), writeTo("states"));
    pipe(
      states,
      applyDoFn("number", new fixtures.KeyByNumber(), { output: new KVCoder(new VarIntCoder(), stringCoder) }),
      applyDoFn("numbers", new fixtures.CountNumbers(), output),
      writeTo("numbers"),
    );
    for (const time of ["event", "processing"] as const) {
      pipe(
        main,
        byKey(`by ${time}`),
        applyDoFn(time, new fixtures.CountUntilExpiry(1_000, time), output),
        writeTo(time),
      );
    }
    const texts = pipe(root, withName("texts", create(["x", "y", "z"])), withName("texts coder", asTexts));
    const one = pipe(root, withName("one", create(["only"])), withName("one coder", asTexts));
    const pairs = pipe(root, withName("pairs", create(["k=1", "k=2", "l=3"])), byKey("pairs by key"));
    const singles = pipe(root, withName("singles", create(["k=v", "m=w"])), byKey("singles by key"));
    pipe(
      sides,
      applyDoFn("sides", new fixtures.ReadSides(), {
        ...output,
        sideInputs: { all: texts, one, many: pairs, single: singles },
      }),
      writeTo("sides"),
    );
    return pipe(
      sides,
      withName("sdk sides", parDo(new CountSideInput(), { side: iterableSideInput(texts) })),
      writeTo("sdk sides"),
    );
  }

  before(async () => void (run = await h.start(build)));
  after(() => h.close());

  const add = (...lines: string[]): void => appendFileSync(h.file("in"), lines.map((line) => `${line}\n`).join(""));
  async function until(file: string, condition: (lines: string[]) => boolean): Promise<string[]> {
    const hasEnded = (): boolean => condition(h.lines<string>(file)) || failed !== undefined;
    await h.until(hasEnded, LIMIT_MS, `${file}, which is ${JSON.stringify(h.lines(file))}`);
    if (failed) throw failed;
    return h.lines<string>(file);
  }
  let failed: Error | undefined;
  before(() => void run.finished.catch((error: unknown) => (failed = error as Error)));

  it("timers fire on Flink: in event time, by tag, once, and not when they were cleared or set again", async () => {
    add(
      "5 timers a=later set 100",
      "5 timers a=later set 120 t",
      "5 timers b=later set 110",
      "5 timers b=later set 115 t",
    );
    add("6 timers b=later clear", "7 timers b=later set 130 t 50", "7 timers c=clock relative 1");
    const clock = await until("timers", (lines) => lines.length > 0);
    assert.match(clock[0] ?? "", /^c clock {2}fired at \d+ as 7 in global after 1$/);
    add("watermark 1000");
    const lines = await until("timers", (all) => all.length >= 4);
    assert.deepEqual(lines.slice(1).sort(), [
      "a later  fired at 100 as 100 in global after 2",
      "a later t fired at 120 as 120 in global after 2",
      "b later t fired at 130 as 50 in global after 4",
    ]);
  });

  it("timers at the end of a window fire in their window on Flink", async () => {
    add("1500 windows a=later end", "12000 windows a=later end", "12000 windows b=later set 10500");
    add("watermark 15000");
    await until("windows", (lines) => lines.length === 2);
    add("watermark 20000");
    assert.deepEqual((await until("windows", (lines) => lines.length === 3)).sort(), [
      "a later  fired at 19999 as 19999 in [10000, 20000) after 1",
      "a later  fired at 9999 as 9999 in [0, 10000) after 1",
      "b later  fired at 10500 as 10500 in [10000, 20000) after 1",
    ]);
  });

  it("state of every kind, and of keys that are not texts, continues from bundle to bundle on Flink", async () => {
    add("20000 states 7=x");
    await until("states", (lines) => lines.length === 1);
    add("20000 states 7=x", "20000 states 7=yy");
    const states = await until("states", (lines) => lines.some((line) => line.includes("yy1")));
    assert.deepEqual([states[0], states.at(-1)], ["7: x x 1 x x1", "7: yy xxyy 4 xyy x2yy1"]);
    const numbers = await until("numbers", (lines) => lines.length === 3);
    assert.deepEqual(numbers, ["7 global 1", "7 global 2", "7 global 3"]);
  });

  it("state expires on Flink in event time and in processing time", async () => {
    add("30000 a=1");
    await until("event", (lines) => lines.length === 1);
    await until("processing", (lines) => lines.length === 1);
    add("30500 a=2", "30500 timers m=later set 39000");
    await until("event", (lines) => lines.length === 2);
    add("watermark 40000");
    // Elements that follow are behind the watermark, on the way to every step.
    await until("timers", (lines) => lines.some((line) => line.startsWith("m later")));
    add("40000 a=3");
    assert.deepEqual(await until("event", (lines) => lines.length === 3), ["a=1", "a=2", "a=1"]);
    // In processing time it expires when no element comes for a second.
    for (let i = 0; h.lines("processing").filter((line) => line === "a=1").length < 2; i++) {
      assert(i < 20, "the state does not expire");
      const { length } = h.lines("processing");
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      add("40000 a=4");
      await until("processing", (lines) => lines.length > length);
    }
  });

  it("every element sees side inputs of every kind on Flink", async () => {
    add("50000 sides k", "50000 sides l", "50000 sides m");
    assert.deepEqual(await until("sides", (lines) => lines.length === 3), [
      "k: 3 only 1+2 v",
      "l: 3 only 3 undefined",
      "m: 3 only  w",
    ]);
    assert.deepEqual(await until("sdk sides", (lines) => lines.length === 3), ["3", "3", "3"]);
  });
});

const asTexts = (input: PCollection<string>): PCollection<string> =>
  pipe(input, withCoderInternal<string>(stringCoder));
