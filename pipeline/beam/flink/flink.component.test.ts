import "../sdk";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { parDo, impulse, withName, windowInto } from "apache-beam";
import type { PCollection, Root } from "apache-beam";
import { groupByKey } from "apache-beam/transforms/internal";
import { FlinkHarness } from "../testing/flinkHarness";
import {
  afterProcessingTime,
  afterWatermark,
  bundleParDo,
  END_OF_TIME_MS,
  JobFailedError,
  pipe,
  newestCheckpoint,
  sessionWindows,
  splittableParDo,
  statefulParDo,
  stringCoder,
  testStream,
  textKvCoder,
  windowingStrategy,
  withKvCoder,
} from "../index";
import * as fixtures from "../testing/fixtures";

/** Sum, count and distinct count of the numbers 0 to n-1 by their remainder modulo 7, as SumPerKey prints them. */
function expectedSums(n: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (let k = 0; k < 7; k++) {
    const numbers = Array.from({ length: n }, (_, i) => i).filter((i) => i % 7 === k);
    out[`k${k}`] = `${numbers.reduce((a, b) => a + b, 0)},${numbers.length},${numbers.length}`;
  }
  return out;
}

/** The last total of each key; totals only grow. */
function latest(lines: readonly string[]): Record<string, string> {
  const best: Record<string, string> = {};
  for (const line of lines) {
    const [key = "", value = ""] = line.split("=");
    if (Number(value.split(",")[0]) >= Number((best[key] ?? "0").split(",")[0])) best[key] = value;
  }
  return best;
}

/** Sums what the source counts, through a step that may fail. */
function sumCounts(h: FlinkHarness, root: Root, count: number, perSlice: number, failing?: fixtures.FailOnce): void {
  const counted: PCollection<string> = pipe(
    root,
    impulse(),
    splittableParDo("read", new fixtures.CountingSource(count, perSlice, h.file("finalized")), stringCoder),
  );
  pipe(
    failing ? pipe(counted, bundleParDo("fail", failing, stringCoder)) : counted,
    withName("pair", parDo(new fixtures.SplitPair())),
    withKvCoder("kv", textKvCoder),
    statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
    bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
  );
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("Flink runner", function () {
  this.timeout(240_000);
  let h: FlinkHarness;
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  it("delivers every element of a large bundle although operators wait", async () => {
    const run = await h.start((root) => {
      const grouped = pipe(
        root,
        impulse(),
        withName("numbers", parDo(new fixtures.Numbers(50_000))),
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        withName("group", groupByKey<string, string>()),
      );
      pipe(
        grouped,
        bundleParDo("count", new fixtures.SlowCount(), stringCoder),
        bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
      );
    });
    await run.finished;
    assert.equal(
      h.lines<string>("out").reduce((sum, count) => sum + Number(count), 0),
      50_000,
    );
  });

  it("surfaces the error text of a job that fails", async () => {
    const run = await h.start((root) => {
      pipe(
        root,
        impulse(),
        withName("numbers", parDo(new fixtures.Numbers(1))),
        withName("throw", parDo(new fixtures.AlwaysThrow())),
      );
    });
    await assert.rejects(run.finished, (error: unknown) => {
      assert(error instanceof JobFailedError);
      assert.match(error.message, /FAILED/);
      assert.match(error.message, /cannot process 0/);
      return true;
    });
  });

  it("windows sessions with early, on-time and late panes that carry only what is new", async () => {
    const at = (value: string, timestampMs: number) => ({ value, timestampMs });
    const minute = 60_000;
    const strategy = windowingStrategy({
      trigger: afterWatermark({ early: afterProcessingTime(1000), late: afterProcessingTime(100) }),
      allowedLatenessMs: 24 * 60 * minute,
    });
    const run = await h.start((root) => {
      const grouped = pipe(
        root,
        testStream("stream", [
          { elements: [at("a=1", 0), at("a=2", 10 * minute), at("b=1", 0), at("b=2", 30 * minute)] },
          { watermarkMs: 60 * minute + 1 },
          { elements: [at("a=3", 20 * minute)] },
          { watermarkMs: END_OF_TIME_MS },
        ]),
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        withName("sessions", windowInto(sessionWindows(30 * minute), strategy)),
        withName("group", groupByKey<string, string>()),
      );
      pipe(
        grouped,
        withName("sort", parDo(new fixtures.SortGroup())),
        bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
      );
    });
    await run.finished;
    const panes = h.lines<[string, string[]]>("out");
    const values = (key: string) => panes.filter(([k]) => k === key).flatMap(([, v]) => v);
    // Exactly the gap apart: two sessions, so two panes.
    assert.equal(panes.filter(([k]) => k === "b").length, 2);
    // Nothing is lost and, as panes discard, nothing comes twice.
    assert.deepEqual(values("a").sort(), ["1", "2", "3"]);
    assert.deepEqual(values("b").sort(), ["1", "2"]);
  });

  for (const how of ["throw", "kill"] as const) {
    it(`keeps state exact and finalises after a worker that ${how}s`, async () => {
      const count = 3000;
      const failing = new fixtures.FailOnce(1500, how, h.file("failed"));
      const run = await h.start((root) => sumCounts(h, root, count, 250, failing), {
        checkpointingInterval: 1000,
        checkpointDir: h.file("checkpoints"),
        maxBundleTimeMills: 100,
      });
      await h.until(() => existsSync(h.file("failed")), 60_000, "the failure");
      const want = JSON.stringify(expectedSums(count));
      await h.until(() => JSON.stringify(sorted(latest(h.lines("out")))) === want, 60_000, "exact totals");
      // Exact although cells stay in the worker between bundles; a failed attempt's are never seen again.
      await h.until(() => (run.workers.counters["state.hits"] ?? 0) > 0, 10_000, "cells from the cache");
      await h.until(() => h.text("finalized").includes(`-${count}\n`), 20_000, "the last slice is finalised");
      assert.equal(run.workers.unexpectedExits, how === "kill" ? 1 : 0);
    });
  }

  it("goes on from a retained checkpoint after everything was killed", async () => {
    const options = { checkpointingInterval: 500, checkpointDir: h.file("checkpoints"), maxBundleTimeMills: 100 };
    const first = await h.start((root) => sumCounts(h, root, 1000, 100), options);
    await h.until(() => h.text("finalized").includes("-1000\n"), 60_000, "the first run is durable");
    for (const pid of [first.jobServer.process.pid, ...first.workers.pids]) process.kill(pid, "SIGKILL");
    await assert.rejects(first.finished, /The Flink job server ended \(SIGKILL\)/);
    await first.stop();
    const before = h.lines<string>("out").length;
    const restoreFrom = newestCheckpoint(h.file("checkpoints"))?.directory;
    assert(restoreFrom);
    await h.start((root) => sumCounts(h, root, 2000, 100), { ...options, restoreFrom });
    const want = JSON.stringify(expectedSums(2000));
    const after = (): string[] => h.lines<string>("out").slice(before);
    // The source goes on where it was: the second run reads only the second thousand, on top of the first one's state.
    await h.until(() => JSON.stringify(sorted(latest(after()))) === want, 60_000, "totals of both runs");
    assert(!h.text("finalized").slice(h.text("finalized").indexOf("-1000")).includes("\n0-"));
  });
});
