import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { identifyProcess } from "@eventlogger/process/processIdentity";
import { CheckpointRecorder } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import {
  AmbiguousCheckpointsError,
  StateDirectory,
  StateDirectoryInUseError,
  StateMismatchError,
  type StateSettings,
} from "./stateDirectory";

const settings: StateSettings = {
  project: "p",
  subscription: "s",
  dataset: "d",
  generation: 1,
  sessionGapMs: 1_800_000,
  timeZone: "UTC",
  countBots: false,
  sessionWindows: "state",
  stateFormat: 3,
};

describe("StateDirectory", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "state-directory-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function checkpoint(job: string, n: number, metadata: string, at = directory): string {
    const dir = path.join(at, "checkpoints", job, `chk-${n}`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(path.join(dir, "_metadata"), metadata);
    return dir;
  }
  /** A copy of the checkpoints of the first run. */
  function copyOfFirstRun(): string {
    const aside = mkdtempSync(path.join(tmpdir(), "aside-"));
    cpSync(path.join(directory, "checkpoints", "run-1"), aside, { recursive: true });
    return aside;
  }
  function touchAll(folder: string, seconds: number): void {
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      utimesSync(path.join(folder, name), seconds, seconds);
    }
  }
  function longRunning(): ReturnType<typeof spawn> {
    return spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true });
  }

  /** Simulates a run: completes checkpoints and records the last one, as a worker does. */
  async function runOnce(at: string, job: string, ...numbers: number[]): Promise<void> {
    const state = await StateDirectory.open(at);
    state.identify(settings);
    const { run, checkpointRecord } = await state.beginRun();
    for (const n of numbers) checkpoint(path.join(`run-${run}`, job), n, `state of ${job} ${n}`, at);
    await new CheckpointRecorder(checkpointRecord).record();
    state.recordTablesLabelled(settings);
    state.close();
  }
  async function resumed(at = directory): Promise<string | undefined> {
    const state = await StateDirectory.open(at);
    return (await state.beginRun().finally(() => state.close())).restoreFrom?.directory;
  }

  it("has no checkpoint to resume from at first", async () => {
    assert.equal(await resumed(), undefined);
  });

  it("resumes from the last run even if the files of an earlier run are newer", async () => {
    await runOnce(directory, "a", 49, 50);
    const earlier = copyOfFirstRun();
    await runOnce(directory, "b", 51, 52);
    // For example after a restored backup, with a clock that was ahead, or after an earlier version that kept all files.
    cpSync(earlier, path.join(directory, "checkpoints", "run-1"), { recursive: true });
    touchAll(path.join(directory, "checkpoints", "run-1"), Date.now() / 1000 + 600);
    assert.equal(await resumed(), path.join(directory, "checkpoints", "run-2", "b", "chk-52"));
    rmSync(earlier, { recursive: true });
  });

  it("resumes from a copy of the folder with any modification times", async () => {
    await runOnce(directory, "a", 1, 2);
    await runOnce(directory, "b", 3, 4);
    const copy = `${directory}-copy`;
    cpSync(directory, copy, { recursive: true });
    touchAll(path.join(copy, "checkpoints", "run-2", "b", "chk-4"), 1000);
    try {
      assert.equal(await resumed(copy), path.join(copy, "checkpoints", "run-2", "b", "chk-4"));
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it("numbers its runs, and resumes from the recorded checkpoint when a run crashes before it records one", async () => {
    await runOnce(directory, "a", 1);
    const state = await StateDirectory.open(directory);
    assert.equal((await state.beginRun()).run, 2);
    checkpoint(path.join("run-2", "b"), 2, "complete, but not recorded");
    const next = await state.beginRun();
    assert.equal(next.run, 3);
    assert.equal(next.restoreFrom?.directory, path.join(directory, "checkpoints", "run-1", "a", "chk-1"));
    assert.deepEqual(readdirSync(state.checkpoints), ["run-1"]);
    state.close();
  });

  it("refuses to start without its record", async () => {
    await runOnce(directory, "a", 1);
    rmSync(path.join(directory, "current.json"));
    await assert.rejects(resumed(), /current\.json is missing/);
  });

  it("resumes state without a record from the highest checkpoint number, and refuses when two jobs have it", async () => {
    checkpoint("a", 50, "whole");
    const newest = checkpoint("b", 52, "whole");
    touchAll(path.join(directory, "checkpoints", "a"), Date.now() / 1000 + 600);
    assert.equal(await resumed(), newest);
    rmSync(path.join(directory, "current.json"));
    checkpoint("a", 52, "whole");
    await assert.rejects(resumed(), AmbiguousCheckpointsError);
  });

  it("refuses state with other settings and names them", async () => {
    await runOnce(directory, "a", 1);
    const state = await StateDirectory.open(directory);
    const other = { ...settings, sessionGapMs: 60_000 };
    assert.throws(
      () => state.requireSettings(other),
      (error: unknown) => error instanceof StateMismatchError && /sessionGapMs 1800000, now 60000/.test(error.message),
    );
    const before = state.identity?.id;
    state.clear(other);
    state.requireSettings(other);
    assert.notEqual(state.identity?.id, before);
    assert.equal((await state.beginRun()).restoreFrom, undefined);
    state.close();
  });

  it("takes state of a release before generations for that of generation 1 with UTC days", async () => {
    await runOnce(directory, "a", 1);
    const { generation, timeZone, countBots, ...earlier } = settings;
    assert.deepEqual([generation, timeZone, countBots], [1, "UTC", false]);
    writeFileSync(path.join(directory, "settings.json"), JSON.stringify(earlier));
    const state = await StateDirectory.open(directory);
    state.requireSettings(settings);
    const others = { ...settings, generation: 2, timeZone: "Asia/Tokyo", countBots: true };
    assert.throws(
      () => state.requireSettings(others),
      /generation 1, now 2; timeZone UTC, now Asia\/Tokyo; countBots false, now true/,
    );
    state.close();
  });

  it("refuses state of another state backend, and names the option", async () => {
    await runOnce(directory, "a", 1);
    const state = await StateDirectory.open(directory);
    const refused = (error: unknown): boolean =>
      error instanceof StateMismatchError &&
      error.message.includes(
        "(--state-backend heap, now rocksdb). Use those settings, or start with empty state (--fresh)",
      );
    await assert.rejects(state.restorePoint("rocksdb"), refused);
    await assert.rejects(state.beginRun("rocksdb"), refused);
    assert.equal((await state.beginRun("heap")).run, 2);
    state.clear(settings);
    assert.equal((await state.beginRun("rocksdb")).checkpointRecord.stateBackend, "rocksdb");
    state.close();
  });

  it("refuses a second run at the same time, and names the process, its host and since when", async () => {
    const first = await StateDirectory.open(directory);
    const named = `in use by another run \\(process ${process.pid} on ${hostname()} since \\d{4}-.*Z\\)`;
    await assert.rejects(StateDirectory.open(directory), {
      name: "StateDirectoryInUseError",
      message: new RegExp(named),
    });
    first.close();
    (await StateDirectory.open(directory)).close();
  });

  it("refuses a second run while a run of a release without the lock is alive", async () => {
    const other = longRunning();
    (await StateDirectory.open(directory)).close();
    const launcher = identifyProcess(other.pid as number);
    writeFileSync(path.join(directory, "processes.json"), JSON.stringify({ launcher, children: [] }));
    await assert.rejects(StateDirectory.open(directory), StateDirectoryInUseError);
    other.kill("SIGKILL");
    await once(other, "exit");
    (await StateDirectory.open(directory)).close();
  });

  it("numbers the starts of workers without a gap to reuse, also over restarts and with a higher start in the tables", async () => {
    const state = await StateDirectory.open(directory);
    state.raiseWorkerStarts(1677);
    assert.deepEqual([state.nextWorkerStart(), state.nextWorkerStart()], [1678, 1679]);
    state.close();
    const next = await StateDirectory.open(directory);
    next.raiseWorkerStarts(1677);
    next.clear(settings);
    assert.equal(next.nextWorkerStart(), 1680);
    next.close();
  });

  it("stops the processes that a killed run left", async () => {
    const left = longRunning();
    (await StateDirectory.open(directory)).close();
    const children = [identifyProcess(left.pid as number)];
    const launcher = { pid: left.pid, started: "before the flood" };
    writeFileSync(path.join(directory, "processes.json"), JSON.stringify({ launcher, children }));
    const exit = once(left, "exit");
    (await StateDirectory.open(directory)).close();
    assert.deepEqual(await exit, [null, "SIGTERM"]);
  });
});
