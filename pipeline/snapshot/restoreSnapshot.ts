import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { removeCheckpointRecord, replaceFile } from "@eventlogger/beam";
import { makePrivate } from "@eventlogger/process/privateFiles";
import { STATE_FILES, StateDirectory } from "../runners/flink/stateDirectory";
import { WORKER_STARTS_FILE } from "../runners/flink/workerStarts";
import { MANIFEST, parseManifest, SnapshotError, type Manifest } from "./manifest";
import { readRestored, removeRestored, writeRestored, type RestoredState } from "./restoredState";
import type { CopyProgress } from "./createSnapshot";
import { listTar, readTarEntry, TarError, type TarEntry } from "./tar";

export interface RestoreOptions {
  /** The snapshot. */
  readonly from: string;
  /** A folder without state. It is created. */
  readonly stateDir: string;
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** Where the files of a snapshot are until all of them are intact. */
const STAGING = "restore.partial";

/** The clocks of the machines that receive and publish events may differ by this, ms. */
const CLOCK_MARGIN_MS = 60 * 60_000;
/** Pub/Sub keeps a message that nobody acknowledges for at most 31 days: https://cloud.google.com/pubsub/docs/subscription-properties */
const LONGEST_RETENTION_MS = 31 * 86_400_000;

/** The first day whose rows may have events that the snapshot lacks. */
function replayFrom({ publishedUntil, recordedAt }: Manifest): string {
  const from =
    publishedUntil === null
      ? Date.parse(recordedAt) - LONGEST_RETENTION_MS
      : Date.parse(publishedUntil) - CLOCK_MARGIN_MS;
  return new Date(from).toISOString().slice(0, "YYYY-MM-DD".length);
}

async function openSnapshot(file: string): Promise<FileHandle> {
  try {
    return await open(file, "r");
  } catch (error) {
    throw new SnapshotError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function textOf(file: FileHandle, entry: TarEntry): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of readTarEntry(file, entry)) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

/** @throws SnapshotError when the archive does not contain exactly the files of the manifest */
function requireFiles(name: string, manifest: Manifest, entries: readonly TarEntry[]): void {
  const found = new Map(entries.map((entry) => [entry.name, entry]));
  for (const [file, { bytes }] of Object.entries(manifest.files)) {
    const entry = found.get(file);
    if (!entry) throw new SnapshotError(`${name} is incomplete: ${file} is missing`);
    if (entry.bytes !== bytes) {
      throw new SnapshotError(`${name} is damaged: ${file} has ${entry.bytes} bytes instead of ${bytes}`);
    }
    const isInside = !path.isAbsolute(file) && path.normalize(file) === file && !file.startsWith("..");
    if (!isInside) throw new SnapshotError(`${name} is damaged: ${file} is not a path inside of a folder`);
  }
  const unknown = entries.find((entry) => entry.name !== MANIFEST && !Object.hasOwn(manifest.files, entry.name));
  if (unknown) throw new SnapshotError(`${name} is damaged: ${unknown.name} is not in ${MANIFEST}`);
  for (const file of [STATE_FILES.settings, STATE_FILES.record, WORKER_STARTS_FILE]) {
    if (!Object.hasOwn(manifest.files, file)) throw new SnapshotError(`${name} is incomplete: ${file} is missing`);
  }
}

/** The manifest and the files of a snapshot. @throws SnapshotError */
async function readContents(
  file: FileHandle,
  name: string,
): Promise<{ readonly manifest: Manifest; readonly entries: readonly TarEntry[] }> {
  let entries: TarEntry[];
  let manifest: Manifest;
  try {
    entries = await listTar(file);
    const last = entries.at(-1);
    if (last?.name !== MANIFEST) throw new SnapshotError(`${name} is not a snapshot: it does not end with ${MANIFEST}`);
    manifest = parseManifest(await textOf(file, last), name);
  } catch (error) {
    if (error instanceof TarError) throw new SnapshotError(`${name} is damaged or incomplete: ${error.message}`);
    throw error;
  }
  requireFiles(name, manifest, entries);
  return { manifest, entries: entries.filter((entry) => entry.name !== MANIFEST) };
}

/** Writes the files to a folder, and checks them. @throws SnapshotError when one has another content */
async function extract(
  file: FileHandle,
  name: string,
  { manifest, entries }: { readonly manifest: Manifest; readonly entries: readonly TarEntry[] },
  folder: string,
  onProgress: (progress: CopyProgress) => void,
): Promise<void> {
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const entry of entries) {
    const target = path.join(folder, entry.name);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    const hash = createHash("sha256");
    const output = await open(target, "wx", 0o600);
    try {
      for await (const part of readTarEntry(file, entry)) {
        hash.update(part);
        await output.writeFile(part);
        onProgress({ done: (done += part.length), total });
      }
      await output.sync();
    } finally {
      await output.close();
    }
    if (hash.digest("hex") !== manifest.files[entry.name]?.sha256) {
      throw new SnapshotError(`${name} is damaged: the content of ${entry.name} has changed`);
    }
  }
}

/** Removes what an interrupted restore has left. */
function clear(directory: string): void {
  removeCheckpointRecord(path.join(directory, STATE_FILES.record));
  rmSync(path.join(directory, STATE_FILES.checkpoints), { recursive: true, force: true });
  rmSync(path.join(directory, STATE_FILES.settings), { force: true });
  rmSync(path.join(directory, STAGING), { recursive: true, force: true });
}

/**
 * Restores a snapshot into a folder without state. The next `run` on it resumes from the snapshot, on this machine and in this
 * folder. Nothing is changed when the snapshot is damaged.
 *
 * The state is older than the tables: it lacks the events that were acknowledged after the snapshot was made. See {@link RestoredState}.
 * @throws SnapshotError when the snapshot cannot be used, or the folder has state; StateDirectoryInUseError
 */
export async function restoreSnapshot({
  from,
  stateDir,
  onProgress = () => {},
}: RestoreOptions): Promise<{ readonly manifest: Manifest; readonly restored: RestoredState }> {
  const directory = path.resolve(stateDir);
  const source = path.resolve(from);
  const file = await openSnapshot(source);
  try {
    const contents = await readContents(file, source);
    const { manifest } = contents;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const state = await StateDirectory.open(directory);
    try {
      const isInterrupted = readRestored(directory)?.complete === false;
      if (!isInterrupted && (state.hasState() || state.identity)) {
        throw new SnapshotError(
          `${directory} contains state already. Restore into a new folder, or remove this one if it is not needed any more`,
        );
      }
      const staging = path.join(directory, STAGING);
      clear(directory);
      await extract(file, source, contents, staging, onProgress);
      const restored: RestoredState = {
        complete: false,
        snapshotAt: manifest.createdAt,
        replayFrom: replayFrom(manifest),
        accepted: false,
      };
      // From here on, a run refuses the folder until the restore is complete.
      writeRestored(directory, restored);
      for (const name of readdirSync(staging)) {
        const target = path.join(directory, name);
        if (name === STATE_FILES.checkpoints) {
          rmSync(target, { recursive: true, force: true });
          renameSync(path.join(staging, name), target);
        } else replaceFile(target, readFileSync(path.join(staging, name)));
      }
      rmSync(staging, { recursive: true, force: true });
      const complete = { ...restored, complete: true };
      writeRestored(directory, complete);
      makePrivate(directory, readdirSync(directory));
      return { manifest, restored: complete };
    } finally {
      state.close();
    }
  } finally {
    await file.close();
  }
}

/** Records that the events which a restored state lacks were replayed. @throws SnapshotError when the state was not restored */
export function recordReplayed(stateDir: string): void {
  const directory = path.resolve(stateDir);
  const restored = existsSync(directory) ? readRestored(directory) : undefined;
  if (!restored)
    throw new SnapshotError(`${directory} was not restored from a snapshot, or its events were replayed already`);
  if (!restored.accepted) {
    throw new SnapshotError(
      `No run has begun on ${directory} since it was restored. Start the run, and replay the events while it works`,
    );
  }
  removeRestored(directory);
}
