import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { CheckpointRecordError, DamagedCheckpointError } from "@eventlogger/beam";
import { copyCheckpoint } from "@eventlogger/beam/flink/checkpoints/copyCheckpoint";
import { PROGRESS_FILE } from "../monitoring/progressFile";
import { packageVersion } from "../packageVersion";
import { STATE_FILES } from "../runners/flink/stateDirectory";
import { newestWorkerStart, WORKER_STARTS_FILE } from "../runners/flink/workerStarts";
import { flinkVersion, MANIFEST, SNAPSHOT_FORMAT, SnapshotError, type Manifest, type SnapshotFile } from "./manifest";
import { TarWriter } from "./tar";

/** What has been copied so far, bytes. */
export interface CopyProgress {
  readonly done: number;
  readonly total: number;
}

export interface CreateOptions {
  readonly stateDir: string;
  /** A file that does not exist yet, or a folder, in which the snapshot gets a name with its time. */
  readonly to: string;
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** A snapshot on disk. */
export interface Snapshot {
  readonly file: string;
  /** Size of the file, bytes. */
  readonly bytes: number;
  readonly manifest: Manifest;
}

/** Folders of this name in a state directory hold links to the files of a checkpoint while a snapshot is made. */
const STAGING = /^snapshot-[0-9a-f-]{36}$/;
/** A folder that has not changed for this time belongs to a command that was killed, ms. */
const STALE_AFTER_MS = 10 * 60_000;
/** Every event that was published before is processed and acknowledged, ISO 8601; null: the run has not reported it. */
function publishedUntil(stateDir: string): string | null {
  let text: string;
  try {
    text = readFileSync(path.join(stateDir, PROGRESS_FILE), "utf8");
  } catch {
    return null;
  }
  // The run replaces the file atomically, so that it is never half-written.
  const { publishedUntil: until } = JSON.parse(text) as { publishedUntil?: { live?: unknown } | null };
  const live = until?.live;
  return typeof live === "string" && !Number.isNaN(Date.parse(live)) ? live : null;
}

function settingsOf(stateDir: string): {
  readonly text: string;
  readonly stateId: string;
  readonly stateFormat: number;
} {
  const file = path.join(stateDir, STATE_FILES.settings);
  if (!existsSync(file)) throw new SnapshotError(`${stateDir} contains no state: ${STATE_FILES.settings} is missing`);
  const text = readFileSync(file, "utf8");
  const { stateId, stateFormat } = JSON.parse(text) as { stateId?: string; stateFormat?: number };
  if (stateId === undefined || stateFormat === undefined) {
    throw new SnapshotError(`${stateDir} was written by an earlier release. Start the run once with this release`);
  }
  return { text, stateId, stateFormat };
}

function removeStaleFolders(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    const folder = path.join(stateDir, name);
    const changed = STAGING.test(name) ? statSync(folder, { throwIfNoEntry: false })?.mtimeMs : undefined;
    if (changed !== undefined && Date.now() - changed > STALE_AFTER_MS)
      rmSync(folder, { recursive: true, force: true });
  }
}

function filesBelow(folder: string, name = ""): string[] {
  return readdirSync(path.join(folder, name), { withFileTypes: true }).flatMap((entry) => {
    const below = path.posix.join(name, entry.name);
    return entry.isDirectory() ? filesBelow(folder, below) : [below];
  });
}

/** The content of a file, with its SHA-256 when it was read. */
class HashedFile {
  private readonly hash = createHash("sha256");
  constructor(private readonly file: string) {}

  async *content(onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(this.file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      this.hash.update(chunk);
      onBytes(chunk.length);
      yield chunk;
    }
  }
  sha256(): string {
    return this.hash.digest("hex");
  }
}

/** Writes the archive to a temporary file, and gives it its name when it is on disk. */
async function writeArchive(
  folder: string,
  file: string,
  about: Omit<Manifest, "files">,
  onProgress: (progress: CopyProgress) => void,
): Promise<Manifest> {
  const temporary = `${file}.partial-${process.pid}`;
  const names = filesBelow(folder).sort();
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  const total = sizes.reduce((a, b) => a + b, 0);
  let done = 0;
  const target = await open(temporary, "wx", 0o600);
  try {
    const tar = new TarWriter(target);
    const files: Record<string, SnapshotFile> = {};
    for (const [i, name] of names.entries()) {
      const bytes = sizes[i] ?? 0;
      const hashed = new HashedFile(path.join(folder, name));
      await tar.add(
        name,
        bytes,
        hashed.content((n) => onProgress({ done: (done += n), total })),
      );
      files[name] = { bytes, sha256: hashed.sha256() };
    }
    const manifest: Manifest = { ...about, files };
    const text = Buffer.from(JSON.stringify(manifest, null, 2) + "\n");
    await tar.add(MANIFEST, text.length, [text]);
    await tar.end();
    await target.sync();
    await rename(temporary, file);
    const parent = await open(path.dirname(file), "r");
    await parent.sync().finally(() => parent.close());
    return manifest;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await target.close();
  }
}

/** The file of the snapshot. */
function fileFor(to: string, createdAt: Date): string {
  const target = path.resolve(to);
  const isFolder = to.endsWith(path.sep) || statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  const time = createdAt
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-");
  const file = isFolder ? path.join(target, `eventlogger-snapshot-${time}.tar`) : target;
  if (existsSync(file)) throw new SnapshotError(`${file} exists already`);
  return file;
}

/**
 * Makes a snapshot of a state directory: one file with the recorded checkpoint and everything else that a run needs, for
 * `restoreSnapshot` on any machine. A run may use the directory meanwhile; it is not held up.
 *
 * The file contains personal data and the secret of the state. Only its owner can read it.
 * @throws SnapshotError when there is nothing to copy or the file exists; DamagedCheckpointError
 */
export async function createSnapshot({ stateDir, to, onProgress = () => {} }: CreateOptions): Promise<Snapshot> {
  const directory = path.resolve(stateDir);
  const createdAt = new Date();
  if (!existsSync(directory)) throw new SnapshotError(`${directory} does not exist`);
  const file = fileFor(to, createdAt);
  // Before the checkpoint: what is acknowledged now is in the recorded checkpoint.
  const until = publishedUntil(directory);
  const settings = settingsOf(directory);
  removeStaleFolders(directory);
  const folder = path.join(directory, `snapshot-${randomUUID()}`);
  const restarted = new SnapshotError(`${directory} was started with empty state meanwhile. Make the snapshot again`);
  await mkdir(folder, { mode: 0o700 });
  try {
    writeFileSync(path.join(folder, STATE_FILES.settings), settings.text);
    writeFileSync(path.join(folder, WORKER_STARTS_FILE), JSON.stringify(newestWorkerStart(directory)) + "\n");
    const checkpoints = path.join(directory, STATE_FILES.checkpoints);
    const { newestRun, restorePoint } = await copyCheckpoint(
      path.join(directory, STATE_FILES.record),
      checkpoints,
      folder,
    ).catch((error: unknown) => {
      if (!(error instanceof CheckpointRecordError) && !(error instanceof DamagedCheckpointError)) throw error;
      throw new SnapshotError(`There is nothing to make a snapshot of: ${error.message}`, { cause: error });
    });
    if (settingsOf(directory).stateId !== settings.stateId) throw restarted;
    if (!restorePoint) throw new TypeError("unreachable: a copy has a checkpoint");
    await mkdir(path.dirname(file), { recursive: true });
    const about = {
      format: SNAPSHOT_FORMAT,
      createdAt: createdAt.toISOString(),
      release: packageVersion(),
      stateFormat: settings.stateFormat,
      flink: flinkVersion(),
      stateBackend: restorePoint.stateBackend ?? "heap",
      state: settings.stateId,
      run: newestRun,
      checkpoint: restorePoint.checkpoint,
      recordedAt: restorePoint.recordedAt,
      publishedUntil: until,
    };
    let touched = performance.now();
    const manifest = await writeArchive(folder, file, about, (progress) => {
      onProgress(progress);
      if (performance.now() - touched < STALE_AFTER_MS / 10) return;
      touched = performance.now();
      // Changes the time of the folder, so that it does not count as stale.
      writeFileSync(path.join(folder, ".alive"), "");
      rmSync(path.join(folder, ".alive"));
    });
    return { file, bytes: (await stat(file)).size, manifest };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
