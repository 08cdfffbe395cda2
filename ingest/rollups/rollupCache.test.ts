import assert from "node:assert/strict";
import { RequestError } from "../http/errors";
import type { DailyRollups, DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";
import { RollupCache, type RollupCacheOptions } from "./rollupCache";

const RANGE = { from: "2024-05-01", to: "2024-05-31" };
const NOTHING = { total_users: 0, days: [], definitions: undefined };

type Options = RollupCacheOptions<DailyRollups, DayRange>;

function cacheOf(read: Options["read"], options: Partial<Options> = {}): RollupCache<DailyRollups> {
  return new RollupCache({ read, ttlMs: 60_000, timeoutMs: 60_000, onError: () => undefined, ...options });
}

const isUnavailable = (error: unknown): boolean => error instanceof RequestError && error.status === 503;

describe("RollupCache", () => {
  it("RollupCache sends one query for concurrent callers and while its answer is fresh", async () => {
    let queries = 0;
    let now = 0;
    const cache = cacheOf(async () => ({ ...NOTHING, total_users: ++queries }), { ttlMs: 50, now: () => now });
    const totals = async (): Promise<number> => (await cache.get(RANGE)).total_users;
    assert.deepEqual(await Promise.all([totals(), totals(), totals()]), [1, 1, 1]);
    now = 49;
    assert.equal(await totals(), 1);
    now = 50;
    assert.equal(await totals(), 2);
  });

  it("RollupCache never returns an answer older than its TTL, counted from the start of the query", async () => {
    let queries = 0;
    let now = 0;
    const read = async (): Promise<typeof NOTHING> => {
      queries++;
      now += 60;
      return NOTHING;
    };
    const cache = cacheOf(read, { ttlMs: 50, now: () => now });
    await cache.get(RANGE);
    await cache.get(RANGE);
    assert.equal(queries, 2);
  });

  it("RollupCache fails when the query fails and queries again the next time", async () => {
    const seen: unknown[] = [];
    let fail = true;
    const read: Options["read"] = () => (fail ? Promise.reject(new Error("away")) : Promise.resolve(NOTHING));
    const cache = cacheOf(read, { onError: (error) => seen.push(error) });
    await assert.rejects(cache.get(RANGE), isUnavailable);
    assert.equal((seen[0] as Error).message, "away");
    fail = false;
    assert.equal((await cache.get(RANGE)).total_users, 0);
  });

  it("RollupCache fails when the query times out and is not blocked by it afterwards", async () => {
    let queries = 0;
    const never = new Promise<typeof NOTHING>(() => undefined);
    const cache = cacheOf(() => (++queries === 1 ? never : Promise.resolve(NOTHING)), { timeoutMs: 20 });
    await assert.rejects(cache.get(RANGE), isUnavailable);
    assert.equal((await cache.get(RANGE)).total_users, 0);
  });

  it("RollupCache keeps a bounded number of ranges, each with its own answer", async () => {
    const queries: string[] = [];
    const cache = cacheOf(
      async ({ from }) => (queries.push(from), { ...NOTHING, total_users: Number(from.slice(0, 4)) }),
    );
    const get = async (year: number): Promise<number> =>
      (await cache.get({ from: `${year}-01-01`, to: `${year}-12-31` })).total_users;
    for (let year = 1000; year < 1200; year++) {
      assert.equal(await get(year), year);
      assert.equal(await get(year), year);
      assert.ok(cache.size <= 64);
    }
    assert.equal(queries.length, 200);
    await get(1199);
    assert.equal(queries.length, 200);
    await get(1000);
    assert.equal(queries.length, 201);
  });

  it("RollupCache refuses a further range while too many queries are in flight, and reads it afterwards", async () => {
    let answer = (): void => undefined;
    const answered = new Promise<typeof NOTHING>((resolve) => (answer = () => resolve(NOTHING)));
    const cache = cacheOf(() => answered);
    const get = (year: number): Promise<unknown> => cache.get({ from: `${year}-01-01`, to: `${year}-12-31` });
    const waiting = Array.from({ length: 8 }, (_, i) => get(2000 + i));
    await assert.rejects(get(2008), isUnavailable);
    const shared = get(2007);
    answer();
    await Promise.all([...waiting, shared]);
    await get(2008);
  });

  it("RollupCache treats a reader that throws like one that rejects", async () => {
    const cache = cacheOf(() => {
      throw new Error("no client");
    });
    await assert.rejects(cache.get(RANGE), isUnavailable);
  });
});
