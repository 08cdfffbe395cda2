/**
 * The record of the checkpoint from which the next run resumes.
 *
 * A source acknowledges messages when a checkpoint contains them. From then on no older checkpoint may be restored: it
 * lacks the messages that were acknowledged since, and they are never redelivered. A worker therefore records a checkpoint
 * on disk before it acknowledges messages that the checkpoint contains, and a start uses only the recorded checkpoint.
 *
 * Why the recorded checkpoint always contains what was acknowledged: Flink renames `_metadata` into place before it
 * announces that a checkpoint is complete, and only this announcement makes it finalize bundles. A worker that must
 * finalize a bundle therefore finds that checkpoint, or a newer one, as the highest complete number in the folder of its
 * run. Each run has its own folder, and its number comes from the record, never from a clock. A newer checkpoint of the
 * same run contains everything that an older one contains.
 *
 * A run has many workers, on many machines, and one of them may see a checkpoint later than another. So a worker never
 * replaces what another one has recorded: each recorded checkpoint is a file of its own beside the record, `NAME-RUN-NUMBER.json`,
 * and the newest one counts. Only the start of a run writes the record itself.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, readFile, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { StateBackend } from "../stateBackend";
import { completeCheckpoints, list, newestCheckpoint, type Checkpoint } from "./completeCheckpoints";
import { sharedFiles, withSharedFolder } from "./sharedFiles";
import { log } from "../../worker/log";

/** A checkpoint that contains everything that was acknowledged. */
export interface RestorePoint {
  /** Number of the run that took it; 0 for a checkpoint from before runs were numbered. */
  readonly run: number;
  /** Flink's id of the job that took it. */
  readonly job: string;
  /** Number of the checkpoint. */
  readonly checkpoint: number;
  /** Folder of the checkpoint, relative to the folder of the record, so that both can be moved together. */
  readonly path: string;
  /** Size of each file of the checkpoint, in bytes. The names are relative to its folder, and include shared files. */
  readonly files: Readonly<Record<string, number>>;
  /** SHA-256 of `_metadata` without the folder of the shared files, hex. */
  readonly metadataSha256: string;
  /** The state backend that wrote the checkpoint; undefined for a checkpoint from before there was a choice, which is `heap`. */
  readonly stateBackend?: StateBackend;
  /** Time of the record, ISO 8601; for people only. */
  readonly recordedAt: string;
}

/** The content of the record file. */
export interface CheckpointRecord {
  /** Number of the newest run that was started; only increases. */
  readonly newestRun: number;
  /** Where to resume; null while nothing was acknowledged. */
  readonly restorePoint: RestorePoint | null;
}

/**
 * The record cannot be read or used. The message names the file. Writes replace the file atomically, so a disk fault or
 * another program has damaged it: restore it from a backup.
 */
export class CheckpointRecordError extends Error {
  constructor(file: string, reason: string) {
    super(`${file} ${reason}`);
    this.name = "CheckpointRecordError";
  }
}

/** The recorded checkpoint is damaged and no newer one exists. Restore its files from a backup. */
export class DamagedCheckpointError extends Error {
  constructor(damage: string, point: RestorePoint, older: readonly Checkpoint[]) {
    const others = older.length
      ? `Older checkpoints exist (${older.map((c) => c.directory).join(", ")}), but resuming from one of them would lose ` +
        "the events that were acknowledged since"
      : "No older checkpoint exists";
    super(
      `The state cannot be restored: ${damage}. Checkpoint ${point.checkpoint} of run ${point.run} is the oldest one ` +
        `that contains every acknowledged event. ${others}. Restore the file from a backup`,
    );
    this.name = "DamagedCheckpointError";
  }
}

/** The checkpoint was written with another state backend. Use that one. */
export class StateBackendMismatchError extends Error {
  constructor(
    /** The state backend that wrote the checkpoint. */
    readonly written: StateBackend,
    /** The state backend of the run. */
    readonly requested: StateBackend,
  ) {
    super(`The checkpoint was written with the state backend ${written}. Flink cannot restore it with ${requested}`);
    this.name = "StateBackendMismatchError";
  }
}

/** Folder for the checkpoints of one run. */
export function runDirectory(checkpoints: string, run: number): string {
  return path.join(checkpoints, `run-${run}`);
}

function isRecord(value: unknown): value is CheckpointRecord {
  const record = value as Partial<CheckpointRecord> | null;
  if (typeof record !== "object" || !Number.isSafeInteger(record?.newestRun)) return false;
  return record?.restorePoint === null || isRestorePoint(record?.restorePoint);
}

function isRestorePoint(value: unknown): value is RestorePoint {
  const point = value as Partial<RestorePoint> | null | undefined;
  return (
    typeof point === "object" &&
    point !== null &&
    Number.isSafeInteger(point.run) &&
    Number.isSafeInteger(point.checkpoint) &&
    typeof point.path === "string" &&
    typeof point.metadataSha256 === "string" &&
    typeof point.files === "object"
  );
}

/** Reads a file of JSON; undefined when it does not exist. @throws CheckpointRecordError when it is not JSON */
function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CheckpointRecordError(file, `is not valid JSON: ${(error as Error).message}`);
  }
}

/** Identifies a recorded checkpoint. */
interface PointId {
  readonly run: number;
  readonly checkpoint: number;
}

const isNewer = (a: PointId, b: PointId): boolean => a.run > b.run || (a.run === b.run && a.checkpoint > b.checkpoint);

/** The file in which workers record a checkpoint. */
function pointFile(recordFile: string, { run, checkpoint }: PointId): string {
  return `${recordFile.replace(/\.json$/, "")}-${run}-${checkpoint}.json`;
}

/** The checkpoints that workers have recorded beside a record, newest first. */
function pointFiles(recordFile: string): (PointId & { readonly file: string })[] {
  const prefix = `${path.basename(recordFile).replace(/\.json$/, "")}-`;
  const found = list(path.dirname(recordFile)).flatMap((name) => {
    const [, run, checkpoint] = name.startsWith(prefix)
      ? (/^(\d+)-(\d+)\.json$/.exec(name.slice(prefix.length)) ?? [])
      : [];
    if (run === undefined || checkpoint === undefined) return [];
    return [{ run: Number(run), checkpoint: Number(checkpoint), file: path.join(path.dirname(recordFile), name) }];
  });
  return found.sort((a, b) => (isNewer(a, b) ? -1 : 1));
}

/** Removes the files of recorded checkpoints that a newer one replaces. */
function removeOlderPoints(recordFile: string, newest: PointId): void {
  for (const point of pointFiles(recordFile)) if (isNewer(newest, point)) rmSync(point.file, { force: true });
}

/**
 * Reads the record with the newest checkpoint that a worker has recorded; undefined when the file does not exist.
 * @throws CheckpointRecordError when a file is not valid
 */
export function readCheckpointRecord(file: string): CheckpointRecord | undefined {
  const record = readJson(file);
  if (record === undefined) return undefined;
  if (!isRecord(record)) throw new CheckpointRecordError(file, "is not a record of a checkpoint");
  for (const newest of pointFiles(file)) {
    if (record.restorePoint && !isNewer(newest, record.restorePoint)) break;
    const point = readJson(newest.file);
    if (point === undefined) continue; // a worker has recorded a newer one, and removed this one
    if (!isRestorePoint(point)) throw new CheckpointRecordError(newest.file, "is not a record of a checkpoint");
    return { ...record, restorePoint: point };
  }
  return record;
}

/** Removes the record and everything that workers have recorded. */
export function removeCheckpointRecord(file: string): void {
  // The record last: without it the folder has no state.
  for (const point of pointFiles(file)) rmSync(point.file, { force: true });
  rmSync(file, { force: true });
}

function syncFolder(directory: string): void {
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Replaces a file atomically. After it returns, the new content survives a power loss; before, the old or the new does. */
export function replaceFile(file: string, content: string | Uint8Array): void {
  const temporary = `${file}.${randomUUID()}`; // process ids are not unique on a file system that machines share
  try {
    writeFileSync(temporary, content, { flush: true });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(path.dirname(file));
}

/** Replaces the record atomically; see {@link replaceFile}. For the start of a run; workers use a {@link CheckpointRecorder}. */
export function writeCheckpointRecord(file: string, record: CheckpointRecord): void {
  replaceFile(file, JSON.stringify(record, null, 2) + "\n");
  if (record.restorePoint) removeOlderPoints(file, record.restorePoint);
}

async function syncPath(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Name of the folder of shared files, relative to the folder of a checkpoint. */
export const SHARED = "../shared";

/** Size and SHA-256 of the metadata without the folder of the shared files. Those of a moved checkpoint are the same. */
function identifyMetadata(metadata: Buffer, job: string): { readonly bytes: number; readonly sha256: string } {
  const movable = withSharedFolder(metadata, job, "");
  return { bytes: movable.length, sha256: createHash("sha256").update(movable).digest("hex") };
}

/**
 * Syncs the files of a checkpoint to disk and describes it for the record. Flink does not sync them: after a power loss the
 * record could name an incomplete checkpoint.
 * @param stateBackend the state backend that wrote the checkpoint
 * @param synced the files of earlier checkpoints that are on disk; files of this one are added
 */
export async function restorePointOf(
  checkpoint: Checkpoint,
  run: number,
  recordFile: string,
  stateBackend: StateBackend = "heap",
  synced = new Set<string>(),
): Promise<RestorePoint> {
  const metadata = await readFile(path.join(checkpoint.directory, "_metadata"));
  const shared = [...sharedFiles(metadata, checkpoint.job).keys()].map((name) => path.posix.join(SHARED, name));
  const files: Record<string, number> = {};
  for (const name of [...(await readdir(checkpoint.directory)), ...shared].sort()) {
    const file = path.join(checkpoint.directory, name);
    if (!synced.has(file)) await syncPath(file);
    files[name] = (await stat(file)).size;
  }
  const { bytes, sha256 } = identifyMetadata(metadata, checkpoint.job);
  files["_metadata"] = bytes;
  const top = path.dirname(recordFile);
  const folders = shared.length ? [path.join(checkpoint.directory, SHARED)] : [];
  for (let folder = checkpoint.directory; folder.startsWith(top); folder = path.dirname(folder)) folders.push(folder);
  for (const folder of folders) await syncPath(folder);
  for (const name of shared) synced.add(path.join(checkpoint.directory, name));
  return {
    run,
    job: checkpoint.job,
    checkpoint: checkpoint.number,
    path: path.relative(path.dirname(recordFile), checkpoint.directory),
    files,
    metadataSha256: sha256,
    stateBackend,
    recordedAt: new Date().toISOString(),
  };
}

/** Why a recorded checkpoint cannot be used; undefined when it is intact. */
function damageOf(directory: string, point: RestorePoint): string | undefined {
  const metadata = path.join(directory, "_metadata");
  for (const [name, bytes] of Object.entries(point.files)) {
    const file = path.join(directory, name);
    const exists = statSync(file, { throwIfNoEntry: false });
    if (!exists) return `${file} is missing`;
    const size = file === metadata ? identifyMetadata(readFileSync(file), point.job).bytes : exists.size;
    if (size !== bytes) return `${file} has ${size} bytes instead of ${bytes}`;
  }
  try {
    const { sha256 } = identifyMetadata(readFileSync(metadata), point.job);
    return sha256 === point.metadataSha256 ? undefined : `the content of ${metadata} has changed`;
  } catch (error) {
    return `${metadata} cannot be read (${(error as Error).message})`;
  }
}

function hasSharedFiles(directory: string, job: string): boolean {
  const shared = sharedFiles(readFileSync(path.join(directory, "_metadata")), job);
  return [...shared].every(
    ([name, bytes]) => statSync(path.join(directory, SHARED, name), { throwIfNoEntry: false })?.size === bytes,
  );
}

/** The newest checkpoint of the run and job of a recorded one, if it is newer. @param directory folder of the recorded one */
function newerCheckpoint(directory: string, { job, checkpoint }: RestorePoint): Checkpoint | undefined {
  const newest = newestCheckpoint(path.dirname(path.dirname(directory)));
  const isNewer = newest?.job === job && newest.number > checkpoint && hasSharedFiles(newest.directory, job);
  return isNewer ? newest : undefined;
}

/** Makes a checkpoint whose folder was moved or copied refer to the shared files beside it. */
function useSharedFilesBeside(directory: string, job: string): void {
  const file = path.join(directory, "_metadata");
  const metadata = readFileSync(file);
  const adapted = withSharedFolder(metadata, job, path.join(directory, SHARED));
  if (!adapted.equals(metadata)) replaceFile(file, adapted);
}

/**
 * The checkpoint to restore from: the recorded one when it is intact. Flink removes a checkpoint when newer ones of the same
 * run are complete, and a worker that was killed may not have recorded them. A newer checkpoint of the same run and job
 * also contains everything that was acknowledged, so it is used when the recorded one is missing. An older checkpoint is
 * never used. Changes nothing.
 * @param checkpoints folder with the checkpoints of all runs
 * @throws DamagedCheckpointError when neither can be used
 */
export function intactCheckpoint(recordFile: string, checkpoints: string, point: RestorePoint): Checkpoint {
  const directory = path.resolve(path.dirname(recordFile), point.path);
  const damage = damageOf(directory, point);
  if (damage === undefined) return { job: point.job, directory, number: point.checkpoint };
  const newer = newerCheckpoint(directory, point);
  if (newer) return newer;
  const jobFolders = [checkpoints, ...runFolders(checkpoints)];
  const older = jobFolders
    .flatMap(completeCheckpoints)
    .filter((c) => c.number <= point.checkpoint && c.directory !== directory);
  throw new DamagedCheckpointError(damage, point, older);
}

/**
 * The checkpoint to restore from; see {@link intactCheckpoint}. The metadata of a checkpoint that was moved or copied is
 * adapted to its new folder.
 * @param checkpoints folder with the checkpoints of all runs
 * @param stateBackend the state backend of the run that restores it
 * @throws DamagedCheckpointError when no checkpoint can be used; StateBackendMismatchError
 */
export function checkpointToRestore(
  recordFile: string,
  checkpoints: string,
  point: RestorePoint,
  stateBackend: StateBackend = "heap",
): { readonly directory: string; readonly number: number } {
  const { stateBackend: written = "heap" } = point;
  if (written !== stateBackend) throw new StateBackendMismatchError(written, stateBackend);
  const { directory, number, job } = intactCheckpoint(recordFile, checkpoints, point);
  useSharedFilesBeside(directory, job);
  return { directory, number };
}

function runFolders(checkpoints: string): string[] {
  try {
    return readdirSync(checkpoints)
      .filter((name) => /^run-\d+$/.test(name))
      .map((name) => path.join(checkpoints, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Options of {@link CheckpointRecorder}; also the JSON in {@link CHECKPOINT_RECORD_VARIABLE}. */
export interface CheckpointRecorderOptions {
  /** Path of the record. */
  readonly file: string;
  /** Folder with the checkpoints of all runs, and nothing else. */
  readonly checkpoints: string;
  /** Number of this run. */
  readonly run: number;
  /** The state backend of this run. @default "heap" */
  readonly stateBackend?: StateBackend;
}

/** Environment variable of a worker with the options of its recorder, as JSON. */
export const CHECKPOINT_RECORD_VARIABLE = "BEAM_CHECKPOINT_RECORD";

/** Attempts to read a checkpoint: Flink may remove it during a read, when newer ones are complete. */
const ATTEMPTS = 5;

/** Records the newest complete checkpoint of one run, and removes those of other runs. */
export class CheckpointRecorder {
  private readonly directory: string;
  private recorded = -1;
  /** Shared files that are on disk. */
  private readonly synced = new Set<string>();
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: CheckpointRecorderOptions) {
    this.directory = runDirectory(options.checkpoints, options.run);
  }

  /**
   * Resolves when the newest checkpoint that was complete at the time of the call, or a newer one, is recorded on disk.
   * @returns the number of the recorded checkpoint. A checkpoint with a higher number was not complete before the call
   * @throws CheckpointRecordError when this run has no complete checkpoint, or a newer run was started
   */
  record(): Promise<number> {
    const next = this.last.then(() => this.recordNewest());
    this.last = next.catch(() => {}); // the next call tries again
    return next;
  }

  private async recordNewest(): Promise<number> {
    const { file, run, stateBackend } = this.options;
    for (let attempt = 1; ; attempt++) {
      const newest = newestCheckpoint(this.directory);
      if (!newest) {
        throw new CheckpointRecordError(
          this.directory,
          "contains no complete checkpoint, although Flink reports one. Flink and this machine must share the folder",
        );
      }
      if (newest.number <= this.recorded) return this.recorded;
      try {
        const point = await restorePointOf(newest, run, file, stateBackend, this.synced);
        const before = readCheckpointRecord(file);
        if (!before) throw new CheckpointRecordError(file, "is missing: the state was deleted during the run");
        if (before.newestRun > run) {
          throw new CheckpointRecordError(
            file,
            `belongs to run ${before.newestRun}, which was started after run ${run}`,
          );
        }
        if (before.restorePoint && !isNewer(point, before.restorePoint)) {
          // Another worker has recorded it, or a newer one.
          this.recorded = before.restorePoint.checkpoint;
          return this.recorded;
        }
        replaceFile(pointFile(file, point), JSON.stringify(point, null, 2) + "\n");
        removeOlderPoints(file, point);
        const first = this.recorded < 0;
        this.recorded = newest.number;
        if (first) void this.removeEarlierRuns();
        return newest.number;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Removes the checkpoints of earlier runs: they are older than the record, and would fill the disk. */
  private async removeEarlierRuns(): Promise<void> {
    const { checkpoints, run } = this.options;
    try {
      for (const name of await readdir(checkpoints)) {
        // A later run may have started by now.
        if (Number(/^run-(\d+)$/.exec(name)?.[1] ?? -1) >= run) continue;
        await rm(path.join(checkpoints, name), { recursive: true, force: true });
      }
    } catch (error) {
      log.warn(`Cannot remove the checkpoints of earlier runs in ${checkpoints}: ${(error as Error).message}`);
    }
  }
}
