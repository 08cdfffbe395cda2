import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path = require("node:path");
import { setTimeout as sleep } from "node:timers/promises";
import {
  CheckpointRecorder,
  CheckpointRecordError,
  checkpointToRestore,
  DamagedCheckpointError,
  readCheckpointRecord,
  runDirectory,
  writeCheckpointRecord,
  type RestorePoint,
} from "./checkpointRecord";

describe("record of the checkpoint to resume from", () => {
  let directory: string;
  let file: string;
  let checkpoints: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "record-"));
    file = path.join(directory, "current.json");
    checkpoints = path.join(directory, "checkpoints");
    mkdirSync(checkpoints);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function checkpoint(run: number, number: number, metadata = `metadata of ${number}`): string {
    const folder = path.join(runDirectory(checkpoints, run), `job-${run}`, `chk-${number}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "state"), "state");
    writeFileSync(path.join(folder, "_metadata"), metadata);
    return folder;
  }
  function start(run: number): CheckpointRecorder {
    writeCheckpointRecord(file, { newestRun: run, restorePoint: recorded() });
    return new CheckpointRecorder({ file, checkpoints, run });
  }
  const recorded = (): RestorePoint | null => readCheckpointRecord(file)?.restorePoint ?? null;
  const restored = (): string => checkpointToRestore(file, checkpoints, recorded() as RestorePoint).directory;

  it("names the newest complete checkpoint of the run, and moves on with it", async () => {
    checkpoint(1, 1);
    const recorder = start(1);
    await recorder.record();
    assert.equal(recorded()?.checkpoint, 1);
    const newest = checkpoint(1, 2);
    checkpoint(1, 3, ""); // not complete
    await Promise.all([recorder.record(), recorder.record()]);
    assert.equal(recorded()?.checkpoint, 2);
    assert.equal(restored(), newest);
    assert.deepEqual(readdirSync(directory).sort(), ["checkpoints", "current.json"]); // no temporary file is left
  });

  it("does not name a checkpoint of an earlier run, and fails until the run has one of its own", async () => {
    checkpoint(1, 50);
    await start(1).record();
    const second = start(2);
    await assert.rejects(
      second.record(),
      (error) => error instanceof CheckpointRecordError && /run-2 holds no/.test(error.message),
    );
    assert.equal(recorded()?.run, 1);
    checkpoint(2, 51);
    await second.record();
    assert.deepEqual([recorded()?.run, recorded()?.checkpoint], [2, 51]);
  });

  it("removes the checkpoints of earlier runs and jobs once the new run has one", async () => {
    checkpoint(1, 50);
    await start(1).record();
    mkdirSync(path.join(checkpoints, "job-of-an-earlier-version", "chk-9"), { recursive: true });
    const recorder = start(2);
    await assert.rejects(recorder.record());
    assert.deepEqual(readdirSync(checkpoints).sort(), ["job-of-an-earlier-version", "run-1"]);
    checkpoint(2, 51);
    await recorder.record();
    for (let i = 0; readdirSync(checkpoints).length > 1 && i < 2000; i++) await sleep(10);
    assert.deepEqual(readdirSync(checkpoints), ["run-2"]);
  });

  it("is not changed by a run that goes on after a newer one was started", async () => {
    checkpoint(1, 1);
    const first = start(1);
    await first.record();
    start(2);
    checkpoint(1, 2);
    await assert.rejects(first.record(), /belongs to run 2, which was started after run 1/);
    assert.equal(recorded()?.checkpoint, 1);
  });

  it("refuses a checkpoint that was cut off, names the file and the older ones, and does not take those", async () => {
    const older = checkpoint(1, 3);
    const newest = checkpoint(1, 4);
    await start(1).record();
    writeFileSync(path.join(newest, "_metadata"), "meta");
    assert.throws(restored, (error) => {
      assert(error instanceof DamagedCheckpointError);
      assert(error.message.includes(`${path.join(newest, "_metadata")} has 4 bytes, it was written with 13`));
      assert(error.message.includes(`Older checkpoints exist (${older})`));
      assert.match(error.message, /would lose the events that were acknowledged since/);
      return true;
    });
  });

  it("refuses a checkpoint of the same size with other content, and one that lacks a file of state", async () => {
    const newest = checkpoint(1, 4);
    await start(1).record();
    writeFileSync(path.join(newest, "_metadata"), "METADATA of 4");
    assert.throws(restored, /_metadata has another content than was written\. .*No older checkpoint exists/);
    writeFileSync(path.join(newest, "_metadata"), "metadata of 4");
    assert.equal(restored(), newest);
    rmSync(path.join(newest, "state"));
    assert.throws(restored, /state is missing/);
  });

  it("takes a newer checkpoint of the same run when Flink has removed the recorded one", async () => {
    const old = checkpoint(1, 4);
    await start(1).record();
    checkpoint(1, 5);
    const newest = checkpoint(1, 6);
    assert.equal(restored(), old); // as long as it is there
    rmSync(old, { recursive: true });
    assert.equal(restored(), newest);
  });

  it("is refused when it is cut off or is something else, and is absent when there is no file", () => {
    assert.equal(readCheckpointRecord(file), undefined);
    writeFileSync(file, '{"newestRun":1,"resto');
    assert.throws(() => readCheckpointRecord(file), /current\.json is not valid JSON/);
    writeFileSync(file, "{}");
    assert.throws(() => readCheckpointRecord(file), CheckpointRecordError);
    assert(existsSync(file));
  });
});
