import assert from "node:assert/strict";
import type { KV } from "apache-beam/values";
import { pipe, splittableParDo, stringCoder, type SplittableDoFn } from "../index";
import * as fixtures from "../testing/fixtures";
import { MiniRunner } from "../testing/miniRunner";

type Sized = KV<KV<Uint8Array, Uint8Array>, number>;

async function truncated(doFn: SplittableDoFn<string, string>, restrictions: readonly string[]): Promise<unknown[]> {
  const runner = await MiniRunner.start();
  try {
    await runner.describe("drain", (input) => pipe(input as never, splittableParDo("read", doFn, stringCoder)), {
      splittable: "truncate",
    });
    const values = restrictions.map((text) => ({
      key: { key: new Uint8Array(), value: Buffer.from(JSON.stringify(text)) },
      value: 1,
    }));
    const { response, output } = await runner.run("drain", [values]);
    assert.equal(response.error, "");
    return output.map((value) => JSON.parse(Buffer.from((value as Sized).key.value).toString()) as unknown);
  } finally {
    runner.close();
  }
}

describe("Truncation of restrictions in a drain", () => {
  it("a drain leaves nothing of unbounded restrictions, so that their messages stay in the source", async () => {
    assert.deepEqual(await truncated(new fixtures.Truncated(false), ["a", "b"]), []);
  });

  it("a drain reads bounded restrictions to their end", async () => {
    assert.deepEqual(await truncated(new fixtures.Truncated(true), ["a", "b"]), ["a", "b"]);
  });

  it("a splittable DoFn says itself what a drain still has to read", async () => {
    const left = await truncated(new fixtures.TruncatesItself(false), ["keep 1", "drop"]);
    assert.deepEqual(left, ["keep 1 truncated"]);
  });
});
