import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path = require("node:path");
import { identifyProcess } from "../beam/process/processIdentity";
import { StateDirectory, StateDirectoryInUseError, StateMismatchError, type StateSettings } from "./stateDirectory";

const settings: StateSettings = {
  project: "p",
  subscription: "s",
  dataset: "d",
  sessionGapMs: 1_800_000,
  userBuckets: 1024,
  sessionBucketsPerDay: 256,
};

describe("StateDirectory", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "state-directory-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function checkpoint(job: string, n: number, metadata: string): string {
    const dir = path.join(directory, "checkpoints", job, `chk-${n}`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(path.join(dir, "_metadata"), metadata);
    return dir;
  }
  function longRunning(): ReturnType<typeof spawn> {
    return spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true });
  }

  it("has nothing to go on from at first", async () => {
    const state = await StateDirectory.open(directory);
    assert.equal(state.resume(settings), undefined);
  });

  it("goes on from the newest complete checkpoint with the same settings", async () => {
    const state = await StateDirectory.open(directory);
    state.resume(settings);
    checkpoint("a", 7, "whole");
    await new Promise((resolve) => setTimeout(resolve, 20));
    const newest = checkpoint("b", 2, "whole");
    await new Promise((resolve) => setTimeout(resolve, 20));
    checkpoint("b", 3, "");
    assert.equal(state.resume(settings)?.directory, newest);
  });

  it("refuses state of other settings, and says which", async () => {
    const state = await StateDirectory.open(directory);
    state.resume(settings);
    checkpoint("a", 1, "whole");
    assert.throws(
      () => state.resume({ ...settings, sessionGapMs: 60_000 }),
      (error: unknown) => error instanceof StateMismatchError && /sessionGapMs 1800000, now 60000/.test(error.message),
    );
    state.clear();
    assert.equal(state.resume({ ...settings, sessionGapMs: 60_000 }), undefined);
  });

  it("is for one run at a time", async () => {
    const other = longRunning();
    await StateDirectory.open(directory);
    const launcher = identifyProcess(other.pid as number);
    writeFileSync(path.join(directory, "processes.json"), JSON.stringify({ launcher, children: [] }));
    await assert.rejects(StateDirectory.open(directory), StateDirectoryInUseError);
    other.kill("SIGKILL");
    await once(other, "exit");
    await StateDirectory.open(directory);
  });

  it("ends what a killed run left running", async () => {
    const left = longRunning();
    await StateDirectory.open(directory);
    const children = [identifyProcess(left.pid as number)];
    const launcher = { pid: left.pid, started: "before the flood" };
    writeFileSync(path.join(directory, "processes.json"), JSON.stringify({ launcher, children }));
    const exit = once(left, "exit");
    await StateDirectory.open(directory);
    assert.deepEqual(await exit, [null, "SIGTERM"]);
  });
});
