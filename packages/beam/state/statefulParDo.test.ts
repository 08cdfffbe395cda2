import "../sdk";
import assert from "node:assert/strict";
import { impulse, parDo, withName } from "apache-beam";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { buildPipeline, bundleParDo, pipe, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";

describe("Stateful ParDo", function () {
  this.timeout(10_000);
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

  it("reads each cell of a key once a bundle, and goes on from what is stored", async () => {
    assert.deepEqual((await runner.run("sum", [["a=1", "b=10"], ["a=2"]])).output, ["a=3,2,2", "b=10,1,1"]);
    assert.equal(gets(), 6);
    assert.deepEqual((await runner.run("sum", [["a=2"]])).output, ["a=5,3,2"]);
    assert.equal(gets(), 9);
  });

  it("reads state that comes in many pieces", async () => {
    const values = Array.from({ length: 2000 }, (_, i) => `a=${i}`);
    await runner.run("sum", [values]);
    assert.deepEqual((await runner.run("sum", [["a=1"]])).output, ["a=1999001,2001,2000"]);
    assert(gets() > 10, "in pieces");
  });

  it("keeps cells between bundles of one cache token, and of no other", async () => {
    await runner.run("sum", [["a=1"]], { cacheToken: "first" });
    const { output } = await runner.run("sum", [["a=2"]], { cacheToken: "first" });
    assert.deepEqual([output, gets()], [["a=3,2,2"], 3]);
    // Another attempt of the job goes on from a checkpoint: what the worker knows is from a time that never was.
    runner.stored.clear();
    assert.deepEqual((await runner.run("sum", [["a=5"]], { cacheToken: "second" })).output, ["a=5,1,1"]);
    assert.equal(gets(), 6);
    await runner.run("sum", [["a=5"]]);
    assert.equal(gets(), 9, "without a token nothing is cached");
  });

  it("forgets the cells of a bundle that failed", async () => {
    await runner.run("sum", [["a=1"]], { cacheToken: "t" });
    const { response } = await runner.run("sum", [["a=100"]], { cacheToken: "t" });
    assert.match(response.error, /cannot process a=101,2,2/);
    assert.equal(gets(), 3);
    runner.stored.clear();
    assert.deepEqual((await runner.run("sum", [["a=7"]], { cacheToken: "t" })).output, ["a=7,1,1"]);
    assert.equal(gets(), 6);
  });

  it("fails a bundle whose state stream breaks while it waits", async () => {
    await runner.run("sum", [["a=1"]]);
    runner.stateHangs = true;
    const { id, response } = runner.startBundle("sum");
    await runner.send("sum", id, ["b=1"]);
    await runner.send("sum", id, [], true);
    await runner.until(() => gets() === 6, "requests");
    runner.breakState();
    assert.match((await response).error, /broke the state stream/);
    // And the next one, at once.
    const next = runner.startBundle("sum");
    await runner.send("sum", next.id, ["b=1"]);
    await runner.send("sum", next.id, [], true);
    assert.match((await next.response).error, /broke the state stream/);
  });

  it("tells how to get a KV coder when the input has none", async () => {
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
