import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

interface Filled {
  readonly weight: number;
  readonly shards: number;
  readonly used: number;
}

/** Fills a cache in another process, whose heap contains little else. */
async function fillCache(kind: string, entries: number, budget: number): Promise<Filled> {
  const program = path.join(__dirname, "testing", "fillStateCache.js");
  const args = ["--expose-gc", program, kind, String(entries), String(budget)];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Filled;
}

const MIB = 1024 * 1024;

describe("the worker's cache of ledger state", function () {
  this.timeout(60_000);

  it("the cache evicts 20,000 users with ids of 256 characters so that they use no more memory than its budget", async () => {
    for (const kind of ["users with long ids", "users with long ids beyond Latin-1"]) {
      const { shards, used } = await fillCache(kind, 20_000, 3 * MIB);
      assert(shards < 200, `${kind}: all are in the cache`);
      assert(used < 1.2 * 3 * MIB, `${kind}: ${used} bytes in memory`);
    }
  });

  const kinds = [
    "users with short ids",
    "users with several days",
    "users with years of days",
    "session ids with one session",
    "session ids with ten sessions",
  ];
  for (const kind of kinds) {
    it(`the weight of ${kind} in the cache is their size in memory, within 20 percent`, async () => {
      const { weight, shards, used } = await fillCache(kind, 20_000, Infinity);
      assert.equal(shards, 200);
      assert(used < 1.2 * weight && used > 0.8 * weight, `weight ${weight}, in memory ${used} bytes`);
    });
  }
});
