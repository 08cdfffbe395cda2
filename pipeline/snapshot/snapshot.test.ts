import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CheckpointRecorder } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import { stateSettings } from "../runners/flink/runOnFlink";
import { StateDirectory, type RunStart } from "../runners/flink/stateDirectory";
import { createSnapshot } from "./createSnapshot";
import { MANIFEST, SnapshotError, type Manifest } from "./manifest";
import { readRestored } from "./restoredState";
import { recordReplayed, restoreSnapshot } from "./restoreSnapshot";
import { listTar, TarWriter } from "./tar";
import { open } from "node:fs/promises";

const SETTINGS = stateSettings({
  project: "p",
  subscription: "s",
  dataset: "d",
  generation: 1,
  sessionGapMs: 1_800_000,
  timeZone: "UTC",
  sessionWindows: "state",
});
const JOB = "0123456789abcdef0123456789abcdef";

describe("Snapshots of a state directory", () => {
  let directory: string;
  let original: string;
  let snapshot: string;
  let start: RunStart;
  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "snapshot-"));
    original = path.join(directory, "original");
    snapshot = path.join(directory, "snapshot.tar");
    const state = await StateDirectory.open(original);
    state.setShardHashSecret("the secret");
    state.identify(SETTINGS);
    start = await state.beginRun("rocksdb");
    state.recordTablesLabelled(SETTINGS);
    state.nextWorkerStart();
    state.nextWorkerStart();
    await checkpoint(4);
    state.close();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const jobFolder = (): string => path.join(original, "checkpoints", `run-${start.run}`, JOB);

  /** Completes and records a checkpoint with a shared file, like Flink and the worker of a run. */
  async function checkpoint(number: number): Promise<void> {
    const shared = path.join(jobFolder(), "shared", randomUUID());
    mkdirSync(path.dirname(shared), { recursive: true });
    writeFileSync(shared, `shared file of ${number}`);
    const reference = `file:${shared}`;
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(statSync(shared).size));
    const metadata = [Buffer.from([9, 2]), size, Buffer.from([reference.length >> 8, reference.length & 0xff])];
    const folder = path.join(jobFolder(), `chk-${number}`);
    mkdirSync(folder);
    writeFileSync(path.join(folder, "state"), "x".repeat(2_000_000));
    writeFileSync(path.join(folder, "_metadata"), Buffer.concat([...metadata, Buffer.from(reference)]));
    await new CheckpointRecorder(start.checkpointRecord).record();
  }
  const create = (to = snapshot): ReturnType<typeof createSnapshot> => createSnapshot({ stateDir: original, to });
  const restore = (stateDir = path.join(directory, "restored")): ReturnType<typeof restoreSnapshot> =>
    restoreSnapshot({ from: snapshot, stateDir });

  /** Everything in a folder that is the same wherever the folder is. */
  function stateOf(folder: string): Record<string, string> {
    const contents: Record<string, string> = {};
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      const file = path.join(folder, name);
      if (name.startsWith("checkpoints") && statSync(file).isFile()) {
        const content = readFileSync(file, "latin1");
        // Without the length of the path.
        const comparable = name.endsWith("_metadata") ? content.replace(/..file:/s, "file:") : content;
        contents[name] = comparable.slice(0, 500).replaceAll(folder, "HERE");
      }
    }
    return contents;
  }

  it("a restored state resumes from the checkpoint in its new folder, with the settings, the id and the secret", async () => {
    const { manifest } = await create();
    const stateDir = path.join(directory, "a longer path", "restored");
    await restore(stateDir);
    const before = stateOf(original);
    rmSync(original, { recursive: true });
    const state = await StateDirectory.open(stateDir);
    state.requireSettings(SETTINGS);
    assert.equal(state.shardHashSecret, "the secret");
    assert.equal(state.identity?.id, manifest.state);
    assert.equal(state.nextWorkerStart(), 3);
    const begun = await state.beginRun("rocksdb");
    assert.equal(begun.run, 2);
    assert.equal(begun.restoreFrom?.number, 4);
    // Also the references to shared files.
    assert.deepEqual(stateOf(stateDir), before);
    state.close();
  });

  it("a snapshot is only for its owner, and so is what is restored", async () => {
    const umask = process.umask(0o022);
    try {
      await create();
      await restore();
    } finally {
      process.umask(umask);
    }
    const restored = path.join(directory, "restored");
    assert.equal(statSync(snapshot).mode & 0o777, 0o600);
    for (const name of ["settings.json", "current.json", "restored.json", "worker-starts.json"]) {
      assert.equal(statSync(path.join(restored, name)).mode & 0o777, 0o600, name);
    }
    assert.equal(statSync(path.join(restored, "checkpoints")).mode & 0o777, 0o700);
  });

  it("a snapshot leaves nothing behind in the state directory, and a running job may remove the checkpoint meanwhile", async () => {
    const before = readdirSync(original);
    await createSnapshot({
      stateDir: original,
      to: snapshot,
      onProgress: () => rmSync(path.join(original, "checkpoints"), { recursive: true, force: true }),
    });
    assert.deepEqual(
      readdirSync(original),
      before.filter((name) => name !== "checkpoints"),
    );
    await restore();
  });

  it("a newer checkpoint is copied when the job has removed the recorded one", async () => {
    await checkpoint(5);
    rmSync(path.join(jobFolder(), "chk-4"), { recursive: true });
    const { manifest } = await create();
    assert.equal(manifest.checkpoint, 5);
    assert.equal(Object.keys(manifest.files).filter((name) => name.includes("/shared/")).length, 1);
  });

  it("the manifest names the versions, and the events that the state has for sure", async () => {
    const publishedUntil = "2026-05-01T10:00:00.000Z";
    writeFileSync(path.join(original, "progress.json"), JSON.stringify({ publishedUntil: { live: publishedUntil } }));
    const { manifest, file } = await create(directory);
    assert.match(path.basename(file), /^eventlogger-snapshot-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.tar$/);
    assert.match(manifest.flink, /^1\.\d+\.\d+$/);
    assert.deepEqual(
      { ...manifest, createdAt: "", recordedAt: "", release: "", flink: "", files: {} },
      {
        ...{ format: 1, createdAt: "", release: "", flink: "", recordedAt: "", files: {} },
        ...{ stateFormat: SETTINGS.stateFormat, stateBackend: "rocksdb", state: manifest.state, run: 1, checkpoint: 4 },
        publishedUntil,
      },
    );
    const { restored } = await restoreSnapshot({ from: file, stateDir: path.join(directory, "restored") });
    assert.equal(restored.replayFrom, "2026-05-01");
  });

  it("without a report of the run, everything that Pub/Sub may have kept must be replayed", async () => {
    const { manifest } = await create();
    assert.equal(manifest.publishedUntil, null);
    const { restored } = await restore();
    const days = (Date.parse(manifest.recordedAt.slice(0, 10)) - Date.parse(restored.replayFrom)) / 86_400_000;
    assert.equal(days, 31);
  });

  describe("is refused", () => {
    const refuse = async (reason: RegExp): Promise<void> => {
      await assert.rejects(restore(), (error) => {
        assert(error instanceof SnapshotError, String(error));
        assert.match(error.message, reason);
        return true;
      });
      assert(!existsSync(path.join(directory, "restored", "current.json")));
      assert.equal(readRestored(path.join(directory, "restored")), undefined);
    };
    /** Writes the snapshot anew. */
    async function rewrite(
      change: (files: Map<string, Buffer>, manifest: Record<string, unknown>) => void,
    ): Promise<void> {
      await create();
      const handle = await open(snapshot, "r");
      const files = new Map<string, Buffer>();
      const bytes = readFileSync(snapshot);
      for (const { name, at, bytes: size } of await listTar(handle)) files.set(name, bytes.subarray(at, at + size));
      await handle.close();
      const manifest = JSON.parse(files.get(MANIFEST)?.toString() ?? "") as Record<string, unknown>;
      files.delete(MANIFEST);
      change(files, manifest);
      rmSync(snapshot);
      const target = await open(snapshot, "wx");
      const tar = new TarWriter(target);
      files.set(MANIFEST, Buffer.from(JSON.stringify(manifest)));
      for (const [name, content] of files) await tar.add(name, content.length, [content]);
      await tar.end();
      await target.close();
    }

    it("when it ends early", async () => {
      await create();
      truncateSync(snapshot, 1_000_000);
      await refuse(/is damaged or incomplete: it ends after 1000000 bytes, in the middle of checkpoints\/.*\/state/);
    });

    it("when one byte of a file has changed", async () => {
      await create();
      const handle = await open(snapshot, "r");
      const state = (await listTar(handle)).find(({ name }) => name.endsWith("/state"));
      await handle.close();
      const file = openSync(snapshot, "r+");
      writeSync(file, "y", (state?.at ?? 0) + 1_500_000);
      closeSync(file);
      await refuse(/is damaged: the content of checkpoints\/run-1\/.*\/state has changed/);
    });

    it("when a file is missing or unknown", async () => {
      await rewrite((files) => files.delete("settings.json"));
      await refuse(/is incomplete: settings\.json is missing/);
      rmSync(snapshot);
      await rewrite((files) => files.set("other", Buffer.from("")));
      await refuse(/is damaged: other is not in manifest\.json/);
    });

    it("when a name leads out of the folder", async () => {
      await rewrite((files, manifest) => {
        const content = Buffer.from("");
        files.set("../outside", content);
        (manifest as unknown as { files: Manifest["files"] }).files = {
          ...(manifest as unknown as Manifest).files,
          "../outside": { bytes: 0, sha256: "0".repeat(64) },
        };
      });
      await refuse(/\.\.\/outside is not a path inside of a folder/);
      assert(!existsSync(path.join(directory, "outside")));
    });

    it("when another release wrote the state, or a newer Flink", async () => {
      await rewrite((_, manifest) => (manifest["format"] = 2));
      await refuse(/has format 2, but this release reads format 1/);
      rmSync(snapshot);
      await rewrite((_, manifest) => (manifest["stateFormat"] = 99));
      await refuse(/contains state of format 99, but this release reads format \d+\. Restore it with release/);
      rmSync(snapshot);
      await rewrite((_, manifest) => (manifest["flink"] = "9.1.0"));
      await refuse(/was written by Flink 9\.1\.0, and this release runs Flink 1\.\d+\.\d+/);
    });

    it("when it is another file", async () => {
      writeFileSync(snapshot, "x".repeat(2000));
      await refuse(/damaged or incomplete: it contains no header of a file at byte 0/);
      rmSync(snapshot);
      await refuse(/cannot be read: ENOENT/);
    });
  });

  it("a folder with state is never overwritten", async () => {
    await create();
    await assert.rejects(restore(original), /contains state already/);
    await restore();
    await assert.rejects(restore(), /contains state already/);
  });

  it("an interrupted restore is done again by the same command", async () => {
    await create();
    await restore();
    const file = path.join(directory, "restored", "restored.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), complete: false }));
    rmSync(path.join(directory, "restored", "checkpoints"), { recursive: true });
    await restore();
    assert.equal(readRestored(path.join(directory, "restored"))?.complete, true);
  });

  it("a directory without a recorded checkpoint, and an existing file, are refused", async () => {
    writeFileSync(snapshot, "");
    await assert.rejects(create(), /snapshot\.tar exists already/);
    rmSync(snapshot);
    const empty = path.join(directory, "empty");
    await assert.rejects(createSnapshot({ stateDir: empty, to: snapshot }), /does not exist/);
    const state = await StateDirectory.open(empty);
    state.identify(SETTINGS);
    await state.beginRun("rocksdb");
    state.close();
    await assert.rejects(createSnapshot({ stateDir: empty, to: snapshot }), /no event was acknowledged yet/);
    rmSync(path.join(jobFolder(), "shared"), { recursive: true });
    await assert.rejects(
      create(),
      (error) => error instanceof SnapshotError && /shared.* is missing/.test(error.message),
    );
    assert.deepEqual(readdirSync(directory).sort(), ["empty", "original"]);
  });

  it("the replay can be recorded only after a run has begun", async () => {
    await create();
    await restore();
    assert.throws(() => recordReplayed(path.join(directory, "restored")), /No run has begun/);
    assert.throws(() => recordReplayed(original), /was not restored from a snapshot/);
  });
});
