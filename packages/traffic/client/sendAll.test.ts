import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./eventSender";
import { progressText, summaryText } from "./progress";
import { sendAll } from "./sendAll";

const accepted: Outcome = { kind: "accepted" };
const never = new AbortController().signal;

describe("sendAll", () => {
  it("sendAll sends every event once, at most `concurrency` at a time, and counts the outcomes", async () => {
    const seen: number[] = [];
    let running = 0;
    let most = 0;
    const send = async (n: number): Promise<Outcome> => {
      most = Math.max(most, ++running);
      seen.push(n);
      await sleep(2);
      running--;
      if (n % 10 === 0) return { kind: "refused", status: 400, body: "" };
      return n % 25 === 1 ? { kind: "failed", reason: "x" } : accepted;
    };
    const events = Array.from({ length: 100 }, (_, i) => i).values();
    const counts = await sendAll(events, send, { rate: 0, concurrency: 7, signal: never });
    assert.deepEqual(counts, { accepted: 86, refused: 10, failed: 4 });
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.equal(most, 7);
  });

  it("sendAll keeps to the rate", async () => {
    const start = Date.now();
    await sendAll(Array(51).fill(0).values(), async () => accepted, { rate: 100, concurrency: 4, signal: never });
    const took = Date.now() - start;
    assert.ok(took >= 495 && took < 10_000, `50 intervals at 100 a second took ${took} ms`);
  });

  it("sendAll sends no further event after an abort and waits for those in flight", async () => {
    const stop = new AbortController();
    let finished = 0;
    const send = async (): Promise<Outcome> => {
      await sleep(50);
      finished++;
      return accepted;
    };
    function* endless(): Generator<number> {
      for (;;) yield 0;
    }
    setTimeout(() => stop.abort(), 120);
    const counts = await sendAll(endless(), send, { rate: 0, concurrency: 3, signal: stop.signal });
    assert.equal(counts.accepted, finished);
    assert.ok(finished >= 3 && finished < 30);
  });
});

describe("progress", () => {
  const counts = { accepted: 900, refused: 80, failed: 20 };

  it("progressText shows a bar when the total is known", () => {
    const text = progressText(counts, 2000, 5, 10_000);
    assert.equal(
      text,
      `[${"#".repeat(12)}${"-".repeat(12)}]  50 % · 1,000/2,000 · 100 events/s · 80 refused · 20 failed · 5 retries`,
    );
  });

  it("progressText shows counts when the total is infinite", () => {
    assert.equal(progressText({ accepted: 10, refused: 0, failed: 0 }, Infinity, 0, 1000), "10 events · 10 events/s");
  });

  it("summaryText summarises all outcomes", () => {
    assert.equal(
      summaryText(counts, 5, 12_340),
      "sent 1,000 events in 12.3 s (81 events/s): 900 accepted, 80 refused, 20 failed, 5 retries",
    );
  });
});
