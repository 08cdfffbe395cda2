import "../sdk";
import assert from "node:assert/strict";
import { parDo, withName } from "apache-beam";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { pipe, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";
import { allowStateBatches } from "./stateBatches";

describe("Batches of state requests", () => {
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
    await runner.describe("sum", (input) =>
      pipe(
        input,
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
      ),
    );
  });
  afterEach(() => runner.close());
  before(allowStateBatches);

  const KEYS = 1000;
  const additions = (n: number): string[] => Array.from({ length: KEYS }, (_, i) => `key-${i}=${n}`);
  const sums = (values: unknown[]): Set<number> => new Set(values.map((v) => Number(/=(\d+)/.exec(String(v))?.[1])));

  it("a runner that answers batches gets the thousands of requests of a bundle in a few messages", async () => {
    runner.answersStateBatches = true;
    assert.deepEqual([...sums((await runner.run("sum", [["ask=1"]])).output)], [1]);
    const [messages, requests] = [runner.stateMessages, runner.stateRequests.length];
    for (const [n, sum] of [[2, 2] as const, [3, 5] as const]) {
      const { output, response } = await runner.run("sum", [additions(n)]);
      assert.equal(response.error, "");
      assert.deepEqual([output.length, [...sums(output)]], [KEYS, [sum]]);
    }
    assert(runner.stateRequests.length - requests > 10 * KEYS, "three states are read, cleared and written");
    assert(runner.stateMessages - messages < 100, `${runner.stateMessages - messages} messages`);
  });

  it("a runner that does not know batches gets each request in a message of its own", async () => {
    assert.deepEqual([...sums((await runner.run("sum", [["ask=1"]])).output)], [1]);
    const [messages, requests] = [runner.stateMessages, runner.stateRequests.length];
    const { output } = await runner.run("sum", [additions(2)]);
    assert.deepEqual([...sums(output)], [2]);
    assert.equal(runner.stateMessages - messages, runner.stateRequests.length - requests);
  });

  it("state of more than the size of a message arrives in chunks in batches, too", async () => {
    runner.answersStateBatches = true;
    await runner.run("sum", [["a=0"]]);
    await runner.run("sum", [Array.from({ length: 2000 }, (_, i) => `a=${i}`)]);
    const { output } = await runner.run("sum", [["a=1"]]);
    assert.deepEqual([...sums(output)], [1_999_001]);
  });

  it("a bundle fails when the state stream breaks while it waits for the answer to a batch", async () => {
    runner.answersStateBatches = true;
    await runner.run("sum", [["a=0"]]);
    runner.stateHangs = true;
    const bundle = runner.startBundle("sum");
    const sent = runner.stateMessages;
    await runner.send("sum", bundle.id, additions(1), true);
    await runner.until(() => runner.stateMessages > sent, "state requests");
    runner.breakState();
    assert.match((await bundle.response).error, /broke the state stream/);
  });
});
