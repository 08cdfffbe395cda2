import "../sdk";
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, utimesSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parDo, impulse, withName, windowInto } from "apache-beam";
import type { PCollection, Root } from "apache-beam";
import { groupByKey } from "apache-beam/transforms/internal";
import { FlinkHarness, LIMIT_MS } from "../testing/flinkHarness";
import {
  afterProcessingTime,
  afterWatermark,
  bundleParDo,
  checkpointToRestore,
  END_OF_TIME_MS,
  JobFailedError,
  newestCheckpoint,
  pipe,
  readCheckpointRecord,
  sessionWindows,
  splittableParDo,
  statefulParDo,
  stringCoder,
  testStream,
  textKvCoder,
  windowingStrategy,
  withKvCoder,
  writeCheckpointRecord,
  type CheckpointRecorderOptions,
} from "../index";
import * as fixtures from "../testing/fixtures";

/** Sum, count and distinct count of the numbers 0 to n-1 by their remainder modulo 7, in the form of SumPerKey. */
function expectedSums(n: number): Record<string, string> {
  const out: Record<string, string> = {};
  for (let k = 0; k < 7; k++) {
    const numbers = Array.from({ length: n }, (_, i) => i).filter((i) => i % 7 === k);
    out[`k${k}`] = `${numbers.reduce((a, b) => a + b, 0)},${numbers.length},${numbers.length}`;
  }
  return out;
}

/** The last total of each key; totals only increase. */
function latest(lines: readonly string[]): Record<string, string> {
  const best: Record<string, string> = {};
  for (const line of lines) {
    const [key = "", value = ""] = line.split("=");
    if (Number(value.split(",")[0]) >= Number((best[key] ?? "0").split(",")[0])) best[key] = value;
  }
  return best;
}

interface CountOptions {
  readonly count: number;
  readonly perCall: number;
  readonly callMs?: number;
  /** A step that may fail. */
  readonly failing?: fixtures.FailOnce;
}

/** Sums the numbers of a source. */
function sumCounts(h: FlinkHarness, root: Root, { count, perCall, callMs, failing }: CountOptions): void {
  const source = new fixtures.CountingSource(count, perCall, h.file("finalized"), callMs);
  const counted: PCollection<string> = pipe(root, impulse(), splittableParDo("read", source, stringCoder));
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
  this.timeout(400_000);
  let h: FlinkHarness;
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  it("Flink delivers every element of a large bundle to asynchronous operators, and reports metrics when the job has ended", async () => {
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
    const counts = (await run.job.metrics()).filter(({ urn }) => urn === "beam:metric:element_count:v1");
    assert(
      counts.some(({ value }) => value === 50_000),
      JSON.stringify(counts),
    );
  });

  it("the error of a failed job contains the error of its step", async () => {
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

  it("session windows fire early, on-time and late panes with new elements only", async () => {
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
    // Nothing is lost; nothing repeats, because panes discard.
    assert.deepEqual(values("a").sort(), ["1", "2", "3"]);
    assert.deepEqual(values("b").sort(), ["1", "2"]);
  });

  for (const how of ["throw", "kill"] as const) {
    it(`state stays exact and bundles are finalized after a worker that ${how}s`, async () => {
      const count = 3000;
      const failing = new fixtures.FailOnce(1500, how, h.file("failed"));
      const run = await h.start((root) => sumCounts(h, root, { count, perCall: 250, failing }), {
        checkpointingInterval: 1000,
        checkpointDir: h.file("checkpoints"),
        maxBundleTimeMills: 100,
      });
      await h.until(() => existsSync(h.file("failed")), LIMIT_MS, "the failure");
      const want = JSON.stringify(expectedSums(count));
      await h.until(() => JSON.stringify(sorted(latest(h.lines("out")))) === want, LIMIT_MS, "exact totals");
      // Exact although cells stay in the worker between bundles: cells of a failed attempt are dropped.
      await h.until(() => (run.workers.counters["state.hits"] ?? 0) > 0, LIMIT_MS, "cells from the cache");
      await h.until(() => h.text("finalized").includes(`-${count}\n`), LIMIT_MS, "the last bundle to be finalized");
      assert.equal(run.workers.unexpectedExits, how === "kill" ? 1 : 0);
    });
  }

  it("cancelling a job cancels it in Flink, and keeps its checkpoints", async () => {
    const run = await h.start((root) => sumCounts(h, root, { count: 1000, perCall: 100 }), {
      checkpointingInterval: 500,
      checkpointDir: h.file("checkpoints"),
      maxBundleTimeMills: 100,
    });
    await h.until(() => h.text("finalized").includes("-1000\n"), LIMIT_MS, "the last bundle to be finalized");
    await run.job.cancel();
    assert.equal(await run.finished, "CANCELLED");
    await h.until(() => h.text("job-server.log").includes("to CANCELED."), LIMIT_MS, "the end of the job in Flink");
    assert(newestCheckpoint(h.file("checkpoints")));
  });

  it("a checkpoint of RocksDB is recorded before its bundles are finalized, and a copy of it can be resumed after a crash", async () => {
    const record = (directory: string, run: number) =>
      ({
        file: path.join(directory, "current.json"),
        checkpoints: path.join(directory, "checkpoints"),
        run,
        stateBackend: "rocksdb",
      }) as const satisfies CheckpointRecorderOptions;
    /** Runs until the source has finalized `count` numbers and `done` is true, and kills all processes. */
    const runAndKill = async (directory: string, run: number, count: number, done = () => true): Promise<void> => {
      const { file, checkpoints } = record(directory, run);
      const before = readCheckpointRecord(file)?.restorePoint ?? null;
      writeCheckpointRecord(file, { newestRun: run, restorePoint: before });
      // A task finishes a bundle while a checkpoint becomes complete and the next one begins. It knows nothing of the first one
      // then, and must not refer to files of the checkpoint that was restored.
      const numbers = { count, perCall: 250, callMs: 300 };
      const started = await h.start((root) => sumCounts(h, root, numbers), {
        checkpointingInterval: 100,
        checkpointRecord: record(directory, run),
        maxBundleTimeMills: 100,
        stateBackend: "rocksdb",
        // Otherwise files as small as those of this test are part of the metadata.
        flinkConfiguration: { "state.storage.fs.memory-threshold": "0b" },
        restoreFrom: before ? checkpointToRestore(file, checkpoints, before, "rocksdb").directory : undefined,
      });
      await h.until(() => h.text("finalized").includes(`-${count}\n`), LIMIT_MS, `the finalization of run ${run}`);
      const after = readCheckpointRecord(file)?.restorePoint;
      assert.equal(after?.run, run, "the checkpoint was not recorded before the source was finalized");
      assert((after.checkpoint ?? 0) > (before?.checkpoint ?? 0));
      assert(Object.keys(after.files).some((name) => name.startsWith("../shared/")));
      // Asynchronous: it begins with the first record of the run.
      const onlyThisRun = (): boolean => readdirSync(checkpoints).join() === `run-${run}`;
      await h.until(onlyThisRun, LIMIT_MS, "the removal of the checkpoints of earlier runs");
      await h.until(done, LIMIT_MS, "the output of the run");
      for (const pid of [started.jobServer.process.pid, ...started.workers.pids]) process.kill(pid, "SIGKILL");
      await assert.rejects(started.finished, /The Flink job server exited \(SIGKILL\)/);
      await started.stop();
    };
    const original = h.file("original");
    mkdirSync(path.join(original, "checkpoints"), { recursive: true });
    await runAndKill(original, 1, 1000);
    const first = h.file("first");
    cpSync(original, first, { recursive: true });
    await runAndKill(original, 2, 2000);

    // The checkpoints of the first run are restored with times 10 minutes in the future, and everything is moved.
    const copy = h.file("copy");
    renameSync(original, copy);
    cpSync(path.join(first, "checkpoints", "run-1"), path.join(copy, "checkpoints", "run-1"), { recursive: true });
    const later = Date.now() / 1000 + 600;
    for (const name of readdirSync(path.join(copy, "checkpoints", "run-1"), { recursive: true, encoding: "utf8" })) {
      utimesSync(path.join(copy, "checkpoints", "run-1", name), later, later);
    }
    const before = h.lines<string>("out").length;
    const finalizedBefore = h.text("finalized").length;
    const after = (): Record<string, string> => sorted(latest(h.lines<string>("out").slice(before)));
    // The source is finalized when its own bundle is durable; the sums of that bundle may follow later.
    await runAndKill(copy, 3, 3000, () => isDeepStrictEqual(after(), expectedSums(3000)));
    // The source resumes, on top of the state of the second run. The recorded checkpoint may lack the last bundles of that run:
    // when a checkpoint completes, Flink also reports bundles that ended after it began. That of the first run has only 1,000.
    assert.deepEqual(after(), expectedSums(3000));
    assert.match(
      h.text("finalized").slice(finalizedBefore),
      /^(?:(?:1[1-9]|2\d)\d\d-[23]\d\d\d\n|1[1-9]\d\d-1\d\d\d\n|abort .*\n|3000-3000\n)+$/,
    );
  });
});
