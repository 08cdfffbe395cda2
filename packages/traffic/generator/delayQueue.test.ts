import assert from "node:assert/strict";
import fc from "fast-check";
import { DelayQueue } from "./delayQueue";

describe("DelayQueue", () => {
  it("DelayQueue returns every item when it is due, in order, and none earlier", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), fc.nat(20), (dues, now) => {
        const queue = new DelayQueue<{ due: number; i: number }>();
        const items = dues.map((due, i) => ({ due, i }));
        for (const item of items) queue.add(item.due, item);
        const drain = (until: number): unknown[] => {
          const taken = [];
          for (let item = queue.take(until); item; item = queue.take(until)) taken.push(item);
          return taken;
        };
        const sorted = [...items].sort((a, b) => a.due - b.due || a.i - b.i);
        assert.deepEqual(
          drain(now),
          sorted.filter((item) => item.due <= now),
        );
        assert.deepEqual(
          drain(Infinity),
          sorted.filter((item) => item.due > now),
        );
      }),
    );
  });
});
