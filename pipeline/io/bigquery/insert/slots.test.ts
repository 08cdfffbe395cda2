import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Slots } from "./slots";

describe("Slots", () => {
  it("Slots runs all tasks, even after one failed, and never more than its size concurrently", async () => {
    const slots = new Slots(2);
    let running = 0;
    let most = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 7 }, (_, i) =>
        slots.run(async () => {
          most = Math.max(most, ++running);
          await sleep(5);
          running--;
          if (i === 3) throw new Error("third");
          return i;
        }),
      ),
    );
    assert.equal(most, 2);
    assert.deepEqual(
      results.map((r) => r.status === "fulfilled" && r.value),
      [0, 1, 2, false, 4, 5, 6],
    );
    await slots.run(async () => {});
  });

  it("Slots reports when its queue is empty", async () => {
    const slots = new Slots(1);
    let finish = (): void => {};
    const first = slots.run(() => new Promise<void>((resolve) => (finish = resolve)));
    assert.equal(slots.queueEmpty(), undefined);
    let started = false;
    const second = slots.run(async () => void (started = true));
    const empty = slots.queueEmpty();
    assert.ok(empty);
    finish();
    await empty;
    assert.equal(slots.queueEmpty(), undefined);
    await Promise.all([first, second]);
    assert.ok(started);
  });
});
