import "../sdk";
import assert from "node:assert/strict";
import type { PCollection } from "apache-beam";
import type { Coder } from "apache-beam/coders/coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { KVCoder } from "apache-beam/coders/required_coders";
import { StateKey } from "apache-beam/proto/beam_fn_api";
import { parDo } from "apache-beam/transforms/pardo";
import { withName } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { LargeIterable, StateBackedIterableCoder } from "../coders/stateBackedIterable";
import { CountArray, PassOn, ReadFirst, ReadTwice, ReadWithoutAwait } from "../coders/testing/iterableDoFns";
import { bundleParDo, pipe, stringCoder } from "../index";
import { encode } from "../testing/codec";
import { MiniRunner } from "../testing/miniRunner";

type Group = KV<string, readonly string[] | LargeIterable<string>>;

const iterableCoder = new StateBackedIterableCoder(stringCoder) as Coder<Iterable<string>>;
const groupCoder = new KVCoder(stringCoder, iterableCoder) as Coder<unknown> as Coder<Group>;

/** Values of ten characters. */
const values = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i).padStart(10, "0"));

describe("Large iterables", () => {
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
  });
  afterEach(() => runner.close());

  /** An element of which the runner sends the first values, and keeps the others under a token. */
  function keptByRunner(key: string, all: readonly string[], sent: number): Group {
    const token = Buffer.from(`rest of ${key}`);
    const stateKey = StateKey.toBinary({ type: { oneofKind: "runner", runner: { key: token } } });
    runner.stored.set(Buffer.from(stateKey).toString("base64"), encode(stringCoder, all.slice(sent)));
    const readPage = () => assert.fail("only a worker reads the rest");
    return { key, value: new LargeIterable(all.slice(0, sent), token, stringCoder, { readPage }) };
  }

  function describeBundle(build: (groups: PCollection<Group>) => PCollection<unknown>): Promise<void> {
    return runner.describe("groups", build, { inputCoder: groupCoder });
  }

  it("a DoFn reads values larger than a message page by page, as often as it wants", async () => {
    await describeBundle((groups) => pipe(groups, bundleParDo("read", new ReadTwice(), stringCoder)));
    const small = { key: "small", value: values(3) };
    const { response, output } = await runner.run("groups", [
      [keptByRunner("large", values(1000), 5), small, keptByRunner("without rest", values(2), 2)],
    ]);
    assert.equal(response.error, "");
    assert.deepEqual(output, [
      ...["large: pages, 1000, 10000", "large: pages, 1000, 10000"],
      ...["small: array, 3, 30", "small: array, 3, 30"],
      ...["without rest: pages, 2, 20", "without rest: pages, 2, 20"],
    ]);
    // 995 values of 11 bytes are 11 pages of at most 1000 bytes; an empty rest is a page.
    assert.equal(runner.stateRequests.length, 2 * 11 + 2 * 1);
  });

  it("only the pages that a DoFn reads are requested", async () => {
    await describeBundle((groups) => pipe(groups, bundleParDo("read", new ReadFirst(100), stringCoder)));
    const { output } = await runner.run("groups", [[keptByRunner("k", values(10_000), 5)]]);
    assert.deepEqual(output, values(100));
    assert.equal(runner.stateRequests.length, 2);
  });

  it("DoFns that do not read pages, such as those of the SDK, get a whole array", async () => {
    await describeBundle((groups) => pipe(groups, withName("count", parDo(new CountArray() as never))));
    const input = [keptByRunner("a", values(1000), 5), keptByRunner("b", values(3), 0), { key: "c", value: values(1) }];
    const { response, output } = await runner.run("groups", [input]);
    assert.equal(response.error, "");
    assert.deepEqual(output, ["a: 1000, 0000000999", "b: 3, 0000000002", "c: 1, 0000000000"]);
  });

  it("a bundle whose state stream breaks while it reads values fails", async () => {
    runner.stateHangs = true;
    await describeBundle((groups) => pipe(groups, bundleParDo("read", new ReadTwice(), stringCoder)));
    const bundle = runner.startBundle("groups");
    await runner.send("groups", bundle.id, [keptByRunner("k", values(1000), 5)], true);
    await runner.until(() => runner.stateRequests.length > 0, "a request");
    runner.breakState();
    assert.match((await bundle.response).error, /the runner broke the state stream/);
  });

  it("reading values without await, when they come in pages, is an error that tells what to do", async () => {
    await describeBundle((groups) => pipe(groups, bundleParDo("read", new ReadWithoutAwait(), stringCoder)));
    const whole = await runner.run("groups", [[{ key: "k", value: values(2) }]]);
    assert.deepEqual(whole.output, values(2));
    const { response } = await runner.run("groups", [[keptByRunner("k", values(1000), 5)]]);
    assert.match(response.error, /not in memory as a whole: read them with `for await`/);
  });

  it("values that come in pages are passed on by their token, or not at all", async () => {
    await describeBundle((groups) => pipe(groups, bundleParDo("pass", new PassOn(), groupCoder as Coder<unknown>)));
    const element = keptByRunner("k", values(1000), 5);
    const { id, response } = runner.startBundle("groups");
    await runner.send("groups", id, [element], true);
    assert.equal((await response).error, "");
    await runner.until(() => runner.outputBytes(id).length > 0, "the output");
    const [bytes = new Uint8Array()] = runner.outputBytes(id);
    assert(Buffer.from(bytes).includes(Buffer.from(encode(groupCoder, [element]))));
    await runner.describe(
      "objects",
      (groups) => pipe(groups, bundleParDo("pass", new PassOn(), new GeneralObjectCoder())),
      { inputCoder: groupCoder },
    );
    const refused = await runner.run("objects", [[element]]);
    assert.match(refused.response.error, /cannot be an element of a collection: emit what is needed/);
  });
});
