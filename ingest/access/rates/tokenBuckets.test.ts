import assert from "node:assert/strict";
import fc from "fast-check";
import { TokenBuckets, type TokenBucketsOptions } from "./tokenBuckets";

describe("TokenBuckets", () => {
  let now: number;
  beforeEach(() => (now = 0));
  const open = (options: Partial<TokenBucketsOptions> = {}): TokenBuckets<string> =>
    new TokenBuckets({ perSec: 10, burst: 5, maxCharge: 1000, ...options });

  /** Takes one if there is one. */
  function take(buckets: TokenBuckets<string>, client: string): boolean {
    const bucket = buckets.of(client, now);
    if (bucket.waitSec(now) > 0) return false;
    bucket.charge(1);
    return true;
  }

  it("TokenBuckets grants the burst, then the rate, and returns the time to wait", () => {
    const buckets = open();
    for (let i = 0; i < 5; i++) assert.ok(take(buckets, "a"));
    assert.ok(!take(buckets, "a"));
    assert.ok(take(buckets, "b"));
    assert.equal(buckets.of("a", now).waitSec(now), 0.1);
    now = 99;
    assert.ok(!take(buckets, "a"));
    now = 101;
    assert.ok(take(buckets, "a") && !take(buckets, "a"));
    now = 1e7;
    assert.deepEqual(Array.from({ length: 6 }, () => take(buckets, "a")).filter(Boolean).length, 5);
  });

  it("TokenBuckets never exceeds the rate in the long run, for any charges at any times", () => {
    const step = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        now = 0;
        const buckets = open();
        let charged = 0;
        let last = 0;
        for (const [ms, events] of steps) {
          now += ms;
          const bucket = buckets.of("a", now);
          if (bucket.waitSec(now) > 0) continue;
          bucket.charge(events);
          charged += events;
          last = events;
        }
        // All but the last charge had to be paid for before it.
        assert.ok(charged - last <= 5 + (now * 10) / 1000 + 1e-6);
      }),
    );
  });

  it("TokenBuckets keeps a bucket with a negative balance", () => {
    const buckets = open();
    buckets.of("a", now).charge(1000);
    for (let i = 0; i < 99; i++) {
      now += 1000;
      assert.ok(!take(buckets, "a"));
      take(buckets, `other-${i}`);
    }
    const untouched = open();
    now = 0;
    untouched.of("a", now).charge(1000);
    now = 99_000;
    untouched.of("b", now);
    assert.ok(untouched.of("a", now).isInDebt(now));
  });

  it("TokenBuckets drops buckets that are full again", () => {
    const buckets = open();
    for (let i = 0; i < 1000; i++) buckets.of(`client-${i}`, now);
    assert.equal(buckets.size, 1000);
    for (let i = 0; i < 2; i++) {
      now += 101_000;
      buckets.of("late", now);
    }
    assert.ok(buckets.size <= 2);
  });

  it("TokenBuckets keeps at most its maximum, the most recently used buckets", () => {
    const buckets = open({ maxBuckets: 100 });
    for (let i = 0; i < 10_000; i++) {
      buckets.of(`client-${i}`, now).charge(10);
      buckets.of("busy", now);
      assert.ok(buckets.size <= 100);
    }
    buckets.of("busy", now).charge(1000);
    for (let i = 9_960; i < 10_000; i++) assert.ok(buckets.of(`client-${i}`, now).isInDebt(now), String(i));
    assert.ok(buckets.of("busy", now).isInDebt(now));
  });
});
