import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

interface Filled {
  readonly weight: number;
  readonly cells: number;
  readonly used: number;
}

/** Fills a cache in another process, whose heap contains little else. */
async function fillCache(kind: string, entries: number, budget: number): Promise<Filled> {
  const program = path.join(__dirname, "testing", "fillStateCache.js");
  const args = ["--expose-gc", program, kind, String(entries), String(budget)];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Filled;
}

const MIB = 1024 * 1024;

/** The weight of a cell may exceed its memory by this much; bytes. */
const MAX_EXCESS = 150;

describe("the worker's cache of ledger state", () => {
  it("the cache evicts the state of 20,000 users so that it uses no more memory than its budget", async () => {
    const { cells, used } = await fillCache("users with several days", 20_000, 3 * MIB);
    assert(cells < 20_000, "all are in the cache");
    assert(used < 1.05 * 3 * MIB, `${used} bytes in memory`);
  });

  const kinds = [
    "users with one day",
    "users with several days",
    "users with years of days",
    "users with contributed days",
    "anonymous ids with one day",
    "anonymous ids with a user",
    "session ids with one session",
    "session ids with ten sessions",
  ];
  for (const kind of kinds) {
    it(`the weight of ${kind} in the cache is not below their size in memory, and at most ${MAX_EXCESS} bytes each above it`, async () => {
      const { weight, cells, used } = await fillCache(kind, 20_000, Infinity);
      assert.equal(cells, 20_000);
      assert(used < 1.05 * weight && used > weight - MAX_EXCESS * cells, `weight ${weight}, in memory ${used} bytes`);
    });
  }
});
