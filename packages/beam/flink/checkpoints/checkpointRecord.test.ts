import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { waitUntil } from "@eventlogger/process/wait";
import {
  CheckpointRecorder,
  CheckpointRecordError,
  checkpointToRestore,
  DamagedCheckpointError,
  readCheckpointRecord,
  removeCheckpointRecord,
  runDirectory,
  StateBackendMismatchError,
  writeCheckpointRecord,
  type RestorePoint,
} from "./checkpointRecord";

describe("Record of the checkpoint to resume from", () => {
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

  it("a record names the newest complete checkpoint of its run, and follows newer ones", async () => {
    checkpoint(1, 1);
    const recorder = start(1);
    assert.equal(await recorder.record(), 1);
    assert.equal(recorded()?.checkpoint, 1);
    const newest = checkpoint(1, 2);
    checkpoint(1, 3, ""); // not complete
    assert.deepEqual(await Promise.all([recorder.record(), recorder.record()]), [2, 2]);
    assert.equal(recorded()?.checkpoint, 2);
    assert.equal(restored(), newest);
    // Neither a temporary file remains, nor the first recorded checkpoint.
    assert.deepEqual(readdirSync(directory).sort(), ["checkpoints", "current-1-2.json", "current.json"]);
  });

  it("of several workers one that is late never replaces the newer checkpoint that another one has recorded", async () => {
    const [early, late] = [start(1), new CheckpointRecorder({ file, checkpoints, run: 1 })];
    checkpoint(1, 10);
    const slow = late.record(); // has found checkpoint 10, and reads its files
    const newest = checkpoint(1, 11);
    assert.equal(await early.record(), 11);
    assert((await slow) >= 10);
    assert.equal(recorded()?.checkpoint, 11);
    assert.equal(restored(), newest);
    // A late worker also wrote its file before the other one.
    const old = { ...(recorded() as RestorePoint), checkpoint: 9 };
    writeFileSync(path.join(directory, "current-1-9.json"), JSON.stringify(old));
    assert.equal(recorded()?.checkpoint, 11);
    assert.equal(await late.record(), 11);
  });

  it("the start of a run keeps what the workers of the run before have recorded", async () => {
    checkpoint(1, 7);
    await start(1).record();
    start(2);
    assert.deepEqual([recorded()?.run, recorded()?.checkpoint], [1, 7]);
    assert.deepEqual(readdirSync(directory).sort(), ["checkpoints", "current-1-7.json", "current.json"]);
    removeCheckpointRecord(file);
    assert.deepEqual(readdirSync(directory), ["checkpoints"]);
  });

  it("recording fails until the run has a checkpoint of its own", async () => {
    checkpoint(1, 50);
    await start(1).record();
    const second = start(2);
    await assert.rejects(
      second.record(),
      (error) => error instanceof CheckpointRecordError && /run-2 contains no complete checkpoint/.test(error.message),
    );
    assert.equal(recorded()?.run, 1);
    checkpoint(2, 51);
    await second.record();
    assert.deepEqual([recorded()?.run, recorded()?.checkpoint], [2, 51]);
  });

  it("recording keeps the checkpoints of a later run", async () => {
    checkpoint(1, 50);
    checkpoint(2, 51);
    for (const job of ["a", "z"]) mkdirSync(path.join(checkpoints, `${job}-of-an-earlier-version`));
    await start(1).record();
    const earlier = (): string[] => readdirSync(checkpoints).filter((name) => name.endsWith("version"));
    await waitUntil("the removal of earlier jobs", () => earlier().length === 0);
    assert.deepEqual(readdirSync(checkpoints).sort(), ["run-1", "run-2"]);
  });

  it("recording removes the checkpoints of earlier runs and jobs when the new run has one", async () => {
    checkpoint(1, 50);
    await start(1).record();
    mkdirSync(path.join(checkpoints, "job-of-an-earlier-version", "chk-9"), { recursive: true });
    const recorder = start(2);
    await assert.rejects(recorder.record());
    assert.deepEqual(readdirSync(checkpoints).sort(), ["job-of-an-earlier-version", "run-1"]);
    checkpoint(2, 51);
    await recorder.record();
    await waitUntil("the removal", () => readdirSync(checkpoints).length === 1, { intervalMs: 10 });
    assert.deepEqual(readdirSync(checkpoints), ["run-2"]);
  });

  it("a run cannot change the record after a newer run was started", async () => {
    checkpoint(1, 1);
    const first = start(1);
    await first.record();
    start(2);
    checkpoint(1, 2);
    await assert.rejects(first.record(), /belongs to run 2, which was started after run 1/);
    assert.equal(recorded()?.checkpoint, 1);
  });

  it("a truncated checkpoint is rejected with the name of its file, and older checkpoints are not used", async () => {
    const older = checkpoint(1, 3);
    const newest = checkpoint(1, 4);
    await start(1).record();
    writeFileSync(path.join(newest, "_metadata"), "meta");
    assert.throws(restored, (error) => {
      assert(error instanceof DamagedCheckpointError);
      assert(error.message.includes(`${path.join(newest, "_metadata")} has 4 bytes instead of 13`));
      assert(error.message.includes(`Older checkpoints exist (${older})`));
      assert.match(error.message, /would lose the events that were acknowledged since/);
      return true;
    });
  });

  it("a checkpoint with changed metadata or a missing file is rejected", async () => {
    const newest = checkpoint(1, 4);
    await start(1).record();
    writeFileSync(path.join(newest, "_metadata"), "METADATA of 4");
    assert.throws(restored, /the content of .*_metadata has changed\. .*No older checkpoint exists/);
    writeFileSync(path.join(newest, "_metadata"), "metadata of 4");
    assert.equal(restored(), newest);
    rmSync(path.join(newest, "state"));
    assert.throws(restored, /state is missing/);
  });

  it("a newer checkpoint of the same run is used when Flink has removed the recorded one", async () => {
    const old = checkpoint(1, 4);
    await start(1).record();
    checkpoint(1, 5);
    const newest = checkpoint(1, 6);
    assert.equal(restored(), old); // while it exists
    rmSync(old, { recursive: true });
    assert.equal(restored(), newest);
  });

  describe("of an incremental checkpoint", () => {
    const shared = randomUUID();
    const sharedFolder = (top = checkpoints): string => path.join(runDirectory(top, 1), "job-1", "shared");

    /** Metadata that refers to a shared file of 6 bytes, as Flink writes it; and the file. */
    function incremental(number: number, name = shared): string {
      mkdirSync(sharedFolder(), { recursive: true });
      writeFileSync(path.join(sharedFolder(), name), "shared");
      const reference = `file:${path.join(sharedFolder(), name)}`;
      const head = Buffer.from([9, 2, 0, 0, 0, 0, 0, 0, 0, 6, reference.length >> 8, reference.length & 0xff]);
      const folder = checkpoint(1, number);
      writeFileSync(path.join(folder, "_metadata"), Buffer.concat([head, Buffer.from(reference)]));
      return folder;
    }
    const restore = (backend: "rocksdb" | "heap" = "rocksdb"): string =>
      checkpointToRestore(file, checkpoints, recorded() as RestorePoint, backend).directory;
    async function record(): Promise<number> {
      writeCheckpointRecord(file, { newestRun: 1, restorePoint: recorded() });
      return new CheckpointRecorder({ file, checkpoints, run: 1, stateBackend: "rocksdb" }).record();
    }

    it("the record includes the shared files, and a checkpoint without one is rejected", async () => {
      const folder = incremental(4);
      await record();
      assert.deepEqual(recorded()?.files, {
        [`../shared/${shared}`]: 6,
        _metadata: recorded()?.files["_metadata"],
        state: 5,
      });
      assert.equal(restore(), folder);
      writeFileSync(path.join(sharedFolder(), shared), "shar");
      assert.throws(
        restore,
        (error) => error instanceof DamagedCheckpointError && /has 4 bytes instead of 6/.test(error.message),
      );
      rmSync(path.join(sharedFolder(), shared));
      assert.throws(
        restore,
        (error) => error instanceof DamagedCheckpointError && /shared.* is missing/.test(error.message),
      );
    });

    it("a newer checkpoint replaces a missing one only when its shared files exist", async () => {
      const old = incremental(4);
      await record();
      const other = randomUUID();
      const newest = incremental(5, other);
      rmSync(old, { recursive: true });
      assert.equal(restore(), newest);
      rmSync(path.join(sharedFolder(), other));
      assert.throws(restore, DamagedCheckpointError);
    });

    it("a copy of a state directory refers to its own shared files, and the original to the old ones", async () => {
      incremental(4);
      await record();
      const original = readFileSync(path.join(restore(), "_metadata"));
      const copy = path.join(directory, "copy");
      mkdirSync(copy);
      cpSync(checkpoints, path.join(copy, "checkpoints"), { recursive: true });
      const copiedRecord = path.join(copy, "current.json");
      for (const name of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
        cpSync(path.join(directory, name), path.join(copy, name));
      }
      const point = readCheckpointRecord(copiedRecord)?.restorePoint as RestorePoint;
      for (const attempt of ["first", "second"]) {
        const { directory: folder } = checkpointToRestore(
          copiedRecord,
          path.join(copy, "checkpoints"),
          point,
          "rocksdb",
        );
        const metadata = readFileSync(path.join(folder, "_metadata"), "latin1");
        assert(metadata.endsWith(`file:${path.join(sharedFolder(path.join(copy, "checkpoints")), shared)}`), attempt);
      }
      assert(readFileSync(path.join(restore(), "_metadata")).equals(original));
    });

    it("a checkpoint of another state backend is rejected with the names of both", async () => {
      incremental(4);
      await record();
      assert.throws(
        () => restore("heap"),
        (error) =>
          error instanceof StateBackendMismatchError &&
          error.message ===
            "The checkpoint was written with the state backend rocksdb. Flink cannot restore it with heap",
      );
      // Records from before there was a choice.
      writeCheckpointRecord(file, {
        newestRun: 1,
        restorePoint: { ...(recorded() as RestorePoint), stateBackend: undefined },
      });
      assert.throws(restore, /written with the state backend heap\. Flink cannot restore it with rocksdb/);
    });
  });

  it("a truncated or foreign record is rejected, and a missing record is reported as undefined", () => {
    assert.equal(readCheckpointRecord(file), undefined);
    writeFileSync(file, '{"newestRun":1,"resto');
    assert.throws(() => readCheckpointRecord(file), /current\.json is not valid JSON/);
    writeFileSync(file, "{}");
    assert.throws(() => readCheckpointRecord(file), CheckpointRecordError);
    assert(existsSync(file));
  });
});
