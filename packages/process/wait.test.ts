import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration, TimeoutError, waitUntil, withTimeout } from "./wait";

describe("waitUntil", () => {
  it("waitUntil returns the first truthy value of a synchronous or asynchronous condition", async () => {
    let checks = 0;
    const value = await waitUntil("a number", () => ++checks >= 3 && checks, { timeoutMs: 5000, intervalMs: 1 });
    assert.equal(value, 3);
    const later = await waitUntil("a text", async () => (await sleep(1), "text"), { timeoutMs: 5000 });
    assert.equal(later, "text");
  });

  it("waitUntil reports what it waited for, the time limit and the details", async () => {
    const wait = waitUntil("the data stream", () => false, {
      timeoutMs: 30,
      intervalMs: 10,
      details: () => "log line",
    });
    await assert.rejects(wait, (error) => {
      assert(error instanceof TimeoutError);
      assert.equal(error.message, "Timed out after 30 ms waiting for the data stream\nlog line");
      return true;
    });
  });

  it("waitUntil pauses for as long as a check took", async () => {
    const checks: { readonly start: number; readonly end: number }[] = [];
    const slow = async (): Promise<boolean> => {
      const start = performance.now();
      await sleep(40);
      checks.push({ start, end: performance.now() });
      return checks.length === 6;
    };
    await waitUntil("the sixth check", slow, { intervalMs: 1 });
    const sum = (times: readonly number[]): number => times.reduce((total, ms) => total + ms, 0);
    const earlier = checks.slice(0, -1);
    const pauses = sum(earlier.map(({ end }, i) => (checks[i + 1]?.start ?? NaN) - end));
    const taken = sum(earlier.map(({ start, end }) => end - start));
    // Timers of a busy process may be early by some milliseconds.
    assert.ok(pauses > 0.7 * taken, `${pauses} ms between checks of ${taken} ms`);
  });

  it("waitUntil checks the condition once with a time limit of 0", async () => {
    assert.equal(await waitUntil("nothing", () => true, { timeoutMs: 0 }), true);
    await assert.rejects(
      waitUntil("nothing", () => false, { timeoutMs: 0 }),
      TimeoutError,
    );
  });

  it("waitUntil ends at the time limit when the condition never answers", async () => {
    const wait = waitUntil("an answer", () => new Promise<boolean>(() => {}), { timeoutMs: 20 });
    await assert.rejects(wait, /^TimeoutError: Timed out after 20 ms waiting for an answer$/);
  });

  it("waitUntil passes on an error of the condition", async () => {
    let checks = 0;
    const condition = (): boolean => {
      checks++;
      throw new Error("broken");
    };
    await assert.rejects(waitUntil("x", condition, { timeoutMs: 5000 }), /^Error: broken$/);
    assert.equal(checks, 1);
  });

  it("waitUntil with retryErrors tries again and reports the last error", async () => {
    let checks = 0;
    const flaky = (): boolean => {
      if (++checks < 3) throw new Error("not yet");
      return true;
    };
    await waitUntil("x", flaky, { timeoutMs: 5000, intervalMs: 1, retryErrors: true });
    const broken = async (): Promise<boolean> => Promise.reject(new Error("no connection"));
    await assert.rejects(waitUntil("x", broken, { timeoutMs: 20, intervalMs: 1, retryErrors: true }), (error) => {
      assert(error instanceof TimeoutError);
      assert.match(error.message, /waiting for x; last error: no connection$/);
      assert.match(String(error.cause), /no connection/);
      return true;
    });
  });

  it("waitUntil ends with the reason of its signal", async () => {
    const controller = new AbortController();
    const wait = waitUntil("x", () => false, { timeoutMs: 60_000, intervalMs: 60_000, signal: controller.signal });
    controller.abort(new Error("stopped"));
    await assert.rejects(wait, /^Error: stopped$/);
  });
});

describe("withTimeout", () => {
  it("withTimeout returns the result, or the error, of work that ends in time", async () => {
    assert.equal(await withTimeout(Promise.resolve(1), 5000, "x"), 1);
    await assert.rejects(withTimeout(Promise.reject(new Error("broken")), 5000, "x"), /^Error: broken$/);
    await assert.rejects(
      withTimeout(
        () => {
          throw new Error("at once");
        },
        5000,
        "x",
      ),
      /^Error: at once$/,
    );
  });

  it("withTimeout rejects when the time is over, and aborts the signal of the work", async () => {
    let aborted: unknown;
    const work = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted = signal.reason;
          reject(new Error("the work was aborted"));
        });
      });
    await assert.rejects(
      withTimeout(work, 20, "reading the table"),
      /^TimeoutError: Timed out after 20 ms: reading the table$/,
    );
    assert(aborted instanceof TimeoutError);
  });
});

describe("formatDuration", () => {
  it("formatDuration writes short durations in ms and long ones in s", () => {
    assert.deepEqual([0, 999, 1000, 1550, 60_000].map(formatDuration), ["0 ms", "999 ms", "1 s", "1.6 s", "60 s"]);
  });
});
