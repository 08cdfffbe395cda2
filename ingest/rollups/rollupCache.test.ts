import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { RequestError } from "../http/errors";
import { RollupCache, type RollupCacheOptions } from "./rollupCache";

const NOTHING = { total_users: 0, days: [] };

function cacheOf(read: RollupCacheOptions["read"], options: Partial<RollupCacheOptions> = {}): RollupCache {
  return new RollupCache({ read, ttlMs: 50, timeoutMs: 1000, onError: () => undefined, ...options });
}

const isUnavailable = (error: unknown): boolean => error instanceof RequestError && error.status === 503;

describe("RollupCache", () => {
  it("asks once for all who come while a query is under way, and while its answer is fresh", async () => {
    let queries = 0;
    const cache = cacheOf(
      async () => {
        await sleep(10);
        return { total_users: ++queries, days: [] };
      },
      { ttlMs: 500 },
    );
    const together = await Promise.all([cache.get(), cache.get(), cache.get()]);
    assert.deepEqual(
      together.map((s) => s.totalUsers),
      [1, 1, 1],
    );
    assert.equal((await cache.get()).totalUsers, 1);
    await sleep(550);
    assert.equal((await cache.get()).totalUsers, 2);
  });

  it("never hands out an answer older than its time, counted from when the query was sent", async () => {
    let queries = 0;
    const cache = cacheOf(async () => {
      queries++;
      await sleep(60);
      return NOTHING;
    });
    await cache.get();
    await cache.get();
    assert.equal(queries, 2);
  });

  it("fails when the query fails, and asks again the next time", async () => {
    const seen: unknown[] = [];
    let fail = true;
    const read: RollupCacheOptions["read"] = () =>
      fail ? Promise.reject(new Error("away")) : Promise.resolve(NOTHING);
    const cache = cacheOf(read, { onError: (error) => seen.push(error) });
    await assert.rejects(cache.get(), isUnavailable);
    assert.equal((seen[0] as Error).message, "away");
    fail = false;
    assert.equal((await cache.get()).totalUsers, 0);
  });

  it("fails when the query takes too long, and is not held up by it afterwards", async () => {
    let queries = 0;
    const never = new Promise<typeof NOTHING>(() => undefined);
    const cache = cacheOf(() => (++queries === 1 ? never : Promise.resolve(NOTHING)), { timeoutMs: 20 });
    await assert.rejects(cache.get(), isUnavailable);
    assert.equal((await cache.get()).totalUsers, 0);
  });

  it("treats a reader that throws like one that fails", async () => {
    const cache = cacheOf(() => {
      throw new Error("no client");
    });
    await assert.rejects(cache.get(), isUnavailable);
  });

  it("puts days in order", async () => {
    const day = { average_session_duration_sec: 0, average_session_duration_min: 0, active_user_count: 0 };
    const rest = { new_user_count: 0, session_count: 0, total_users: 0 };
    const days = ["2024-01-02", "2020-01-01", "2024-01-01"].map((date) => ({ date, ...day, ...rest }));
    const snapshot = await cacheOf(async () => ({ total_users: 0, days })).get();
    assert.deepEqual(
      snapshot.days.map((d) => d.date),
      ["2020-01-01", "2024-01-01", "2024-01-02"],
    );
  });
});
