import "../sdk";
import assert from "node:assert/strict";
import { impulse, parDo, withName } from "apache-beam";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { buildPipeline, bundleParDo, pipe, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";

describe("Stateful ParDo", () => {
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
    await runner.describe("sum", (input) =>
      pipe(
        input,
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
        bundleParDo("guard", new fixtures.ThrowAt("a=101,2,2"), stringCoder),
      ),
    );
  });
  afterEach(() => runner.close());

  const gets = (): number => runner.stateRequests.filter((kind) => kind === "get").length;

  it("a stateful ParDo reads each cell of a key once per bundle, and continues from the stored state", async () => {
    assert.deepEqual((await runner.run("sum", [["a=1", "b=10"], ["a=2"]])).output, ["a=3,2,2", "b=10,1,1"]);
    assert.equal(gets(), 6);
    assert.deepEqual((await runner.run("sum", [["a=2"]])).output, ["a=5,3,2"]);
    assert.equal(gets(), 9);
  });

  it("a stateful ParDo reads state that arrives in many chunks", async () => {
    const values = Array.from({ length: 2000 }, (_, i) => `a=${i}`);
    await runner.run("sum", [values]);
    assert.deepEqual((await runner.run("sum", [["a=1"]])).output, ["a=1999001,2001,2000"]);
    assert(gets() > 10, "the state did not arrive in chunks");
  });

  it("a stateful ParDo keeps cells between bundles with the same cache token only", async () => {
    await runner.run("sum", [["a=1"]], { cacheToken: "first" });
    const { output } = await runner.run("sum", [["a=2"]], { cacheToken: "first" });
    assert.deepEqual([output, gets()], [["a=3,2,2"], 3]);
    // Another attempt of the job resumes from a checkpoint: what the worker has cached is newer than that checkpoint.
    runner.stored.clear();
    assert.deepEqual((await runner.run("sum", [["a=5"]], { cacheToken: "second" })).output, ["a=5,1,1"]);
    assert.equal(gets(), 6);
    await runner.run("sum", [["a=5"]]);
    assert.equal(gets(), 9, "cells were cached without a token");
  });

  it("a stateful ParDo drops the cells of a bundle that failed", async () => {
    await runner.run("sum", [["a=1"]], { cacheToken: "t" });
    const { response } = await runner.run("sum", [["a=100"]], { cacheToken: "t" });
    assert.match(response.error, /cannot process a=101,2,2/);
    assert.equal(gets(), 3);
    runner.stored.clear();
    assert.deepEqual((await runner.run("sum", [["a=7"]], { cacheToken: "t" })).output, ["a=7,1,1"]);
    assert.equal(gets(), 6);
  });

  it("small states are cached as bytes: with the same token only, not after a bundle that failed, and with any key", async () => {
    await runner.describe("distinct", (input) =>
      pipe(
        input,
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        statefulParDo("distinct", new fixtures.CountDistinct(), { input: textKvCoder, output: stringCoder }),
        bundleParDo("guard", new fixtures.ThrowAt("a 1,bad"), stringCoder),
      ),
    );
    const run = async (token: string, ...elements: string[]): Promise<readonly unknown[]> => {
      const { output, response } = await runner.run("distinct", [elements], { cacheToken: token });
      return response.error === "" ? output : [/cannot process a 1,bad/.test(response.error)];
    };
    assert.deepEqual(await run("small t", "a=1", "ключ=1"), ["a 1", "ключ 1"]);
    assert.equal(gets(), 2);
    runner.stored.clear();
    assert.deepEqual(await run("small t", "a=2", "ключ=2"), ["a 1,2", "ключ 1,2"]);
    assert.equal(gets(), 2, "the states were read again");
    // The token is that of another attempt, which reads what the runner has: the last change.
    assert.deepEqual(await run("small u", "a=1"), ["a 1,2"]);
    runner.stored.clear();
    // The state that a failed bundle has taken from the cache is read again.
    assert.deepEqual(await run("small w", "a=1"), ["a 1"]);
    assert.deepEqual(await run("small w", "a=bad"), [true]);
    runner.stored.clear();
    assert.deepEqual(await run("small w", "a=3"), ["a 3"]);
    assert.equal(gets(), 5);
  });

  it("a small state that becomes large stays in the cache", async () => {
    await runner.describe("distinct", (input) =>
      pipe(
        input,
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        statefulParDo("distinct", new fixtures.CountDistinct(), { input: textKvCoder, output: stringCoder }),
      ),
    );
    const values: string[] = [];
    for (let i = 10; i < 60; i++) {
      values.push(String(i));
      const { output } = await runner.run("distinct", [[`large=${i}`]], { cacheToken: "large" });
      assert.deepEqual(output, [`large ${values.join()}`]);
    }
    assert.equal(gets(), 1);
  });

  it("a bundle fails when the state stream breaks while it waits for state", async () => {
    await runner.run("sum", [["a=1"]]);
    runner.stateHangs = true;
    const { id, response } = runner.startBundle("sum");
    await runner.send("sum", id, ["b=1"]);
    await runner.send("sum", id, [], true);
    await runner.until(() => gets() === 6, "the requests for state");
    runner.breakState();
    assert.match((await response).error, /broke the state stream/);
    // The next bundle fails immediately.
    const next = runner.startBundle("sum");
    await runner.send("sum", next.id, ["b=1"]);
    await runner.send("sum", next.id, [], true);
    assert.match((await next.response).error, /broke the state stream/);
  });

  it("the error for an input without a KV coder says how to set one", async () => {
    await assert.rejects(
      buildPipeline((root) => {
        const pairs = pipe(
          root,
          impulse(),
          withName("numbers", parDo(new fixtures.Numbers(1))),
          withName("pair", parDo(new fixtures.SplitPair())),
        );
        return pipe(pairs, statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }));
      }),
      /sum: the input of a stateful ParDo must have a KV coder; apply withKvCoder/,
    );
  });
});
