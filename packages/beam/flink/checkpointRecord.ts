/**
 * The record of the checkpoint from which the next run resumes.
 *
 * A source acknowledges messages when a checkpoint holds them. From then on no older checkpoint may be restored: what was
 * acknowledged since would be in no state, and is never delivered again. So a worker records a checkpoint on disk before
 * it acknowledges anything that the checkpoint holds, and a start uses the record and nothing else.
 *
 * Why the recorded checkpoint always holds what was acknowledged: Flink renames `_metadata` into place before it notifies
 * that a checkpoint is complete, and only that notice makes it finalise bundles. A worker that is asked to finalise
 * therefore finds that checkpoint, or a newer one, as the highest complete number in the folder of its own run. Each run
 * has a folder of its own, and its number comes from the record, never from a clock. A newer checkpoint of the same run
 * holds everything that an older one holds.
 */
import { createHash } from "node:crypto";
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
import path = require("node:path");
import { completeCheckpoints, newestCheckpoint, type Checkpoint } from "./checkpoints";

/** A checkpoint that holds everything that was acknowledged. */
export interface RestorePoint {
  /** Number of the run that made it; 0 for one that was made before runs were numbered. */
  readonly run: number;
  readonly job: string;
  readonly checkpoint: number;
  /** Folder of the checkpoint, relative to the folder of the record, so that both can be moved together. */
  readonly path: string;
  /** Size of each file of the checkpoint, in bytes. */
  readonly files: Readonly<Record<string, number>>;
  readonly metadataSha256: string;
  /** ISO 8601; for people only. */
  readonly recordedAt: string;
}

export interface CheckpointRecord {
  /** The newest run that was started; only grows. */
  readonly newestRun: number;
  /** null: nothing was acknowledged yet. */
  readonly restorePoint: RestorePoint | null;
}

/** The record cannot be read. It is replaced as a whole, so the disk or somebody else changed it. */
export class CheckpointRecordError extends Error {
  constructor(file: string, reason: string) {
    super(`${file} ${reason}`);
    this.name = "CheckpointRecordError";
  }
}

/** The recorded checkpoint cannot be used, and no newer one is there. */
export class DamagedCheckpointError extends Error {
  constructor(damage: string, point: RestorePoint, older: readonly Checkpoint[]) {
    const others = older.length
      ? `Older checkpoints exist (${older.map((c) => c.directory).join(", ")}), but resuming from one of them would lose ` +
        "the events that were acknowledged since"
      : "No older checkpoint exists";
    super(
      `The state cannot be restored: ${damage}. Checkpoint ${point.checkpoint} of run ${point.run} is the oldest one ` +
        `that holds every acknowledged event. ${others}. Put the file back from a copy`,
    );
    this.name = "DamagedCheckpointError";
  }
}

/** Folder for the checkpoints of one run. */
export function runDirectory(checkpoints: string, run: number): string {
  return path.join(checkpoints, `run-${run}`);
}

function isRecord(value: unknown): value is CheckpointRecord {
  const record = value as Partial<CheckpointRecord> | null;
  if (typeof record !== "object" || !Number.isSafeInteger(record?.newestRun)) return false;
  const point = record?.restorePoint;
  if (point === null) return true;
  return (
    typeof point === "object" &&
    Number.isSafeInteger(point.run) &&
    Number.isSafeInteger(point.checkpoint) &&
    typeof point.path === "string" &&
    typeof point.metadataSha256 === "string" &&
    typeof point.files === "object"
  );
}

/**
 * The record; undefined when there is none.
 * @throws CheckpointRecordError when it is no record
 */
export function readCheckpointRecord(file: string): CheckpointRecord | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CheckpointRecordError(file, `is not valid JSON: ${(error as Error).message}`);
  }
  if (!isRecord(value)) throw new CheckpointRecordError(file, "is not a record of a checkpoint");
  return value;
}

function syncFolder(directory: string): void {
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Replaces a file as a whole. After it returns, a power loss leaves the new content; before, the old or the new one. */
export function replaceFile(file: string, content: string): void {
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, content, { flush: true });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(path.dirname(file));
}

export function writeCheckpointRecord(file: string, record: CheckpointRecord): void {
  replaceFile(file, JSON.stringify(record, null, 2) + "\n");
}

async function syncPath(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Describes a checkpoint for the record, once it is on disk for good: Flink syncs no files, so that after a power loss
 * the record would name a checkpoint that is cut off.
 */
export async function restorePointOf(checkpoint: Checkpoint, run: number, recordFile: string): Promise<RestorePoint> {
  const files: Record<string, number> = {};
  for (const name of (await readdir(checkpoint.directory)).sort()) {
    const file = path.join(checkpoint.directory, name);
    await syncPath(file);
    files[name] = (await stat(file)).size;
  }
  const top = path.dirname(recordFile);
  for (let folder = checkpoint.directory; folder.startsWith(top); folder = path.dirname(folder)) await syncPath(folder);
  return {
    run,
    job: checkpoint.job,
    checkpoint: checkpoint.number,
    path: path.relative(path.dirname(recordFile), checkpoint.directory),
    files,
    metadataSha256: createHash("sha256")
      .update(await readFile(path.join(checkpoint.directory, "_metadata")))
      .digest("hex"),
    recordedAt: new Date().toISOString(),
  };
}

/** What makes a recorded checkpoint unusable; undefined when it is whole. */
function damageOf(directory: string, point: RestorePoint): string | undefined {
  for (const [name, bytes] of Object.entries(point.files)) {
    const file = path.join(directory, name);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return `${file} is missing`;
    if (size !== bytes) return `${file} has ${size} bytes, it was written with ${bytes}`;
  }
  const metadata = path.join(directory, "_metadata");
  try {
    const hash = createHash("sha256").update(readFileSync(metadata)).digest("hex");
    return hash === point.metadataSha256 ? undefined : `${metadata} has another content than was written`;
  } catch (error) {
    return `${metadata} cannot be read (${(error as Error).message})`;
  }
}

/**
 * The folder to restore from. The recorded checkpoint, as long as it is whole. Flink removes a checkpoint once newer ones
 * of the same run are complete, which a worker that was killed had no time to record: those hold all that was
 * acknowledged, too, and are used when the recorded one is gone. Never an older one.
 * @throws DamagedCheckpointError
 */
export function checkpointToRestore(
  recordFile: string,
  checkpoints: string,
  point: RestorePoint,
): { readonly directory: string; readonly number: number } {
  const directory = path.resolve(path.dirname(recordFile), point.path);
  const damage = damageOf(directory, point);
  if (damage === undefined) return { directory, number: point.checkpoint };
  const newer = newestCheckpoint(path.dirname(path.dirname(directory)));
  if (newer && newer.job === point.job && newer.number > point.checkpoint) return newer;
  const jobFolders = [checkpoints, ...runFolders(checkpoints)];
  const older = jobFolders
    .flatMap(completeCheckpoints)
    .filter((c) => c.number <= point.checkpoint && c.directory !== directory);
  throw new DamagedCheckpointError(damage, point, older);
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

/** What a worker needs to record checkpoints; also the JSON in {@link CHECKPOINT_RECORD_VARIABLE}. */
export interface CheckpointRecorderOptions {
  /** The record. */
  readonly file: string;
  /** Folder with the checkpoints of all runs, and nothing else. */
  readonly checkpoints: string;
  /** Number of this run. */
  readonly run: number;
}

/** Environment variable that tells a worker what to record. */
export const CHECKPOINT_RECORD_VARIABLE = "BEAM_CHECKPOINT_RECORD";

/** A checkpoint can be removed while it is read, when newer ones have completed. */
const ATTEMPTS = 5;

/** Records the newest complete checkpoint of one run, and removes those of other runs. */
export class CheckpointRecorder {
  private readonly directory: string;
  private recorded = -1;
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly options: CheckpointRecorderOptions) {
    this.directory = runDirectory(options.checkpoints, options.run);
  }

  /**
   * Resolves when the newest checkpoint that was complete at the time of the call, or a newer one, is recorded on disk.
   * @throws CheckpointRecordError when no checkpoint of this run is there, or a newer run was started
   */
  record(): Promise<void> {
    const next = this.last.then(() => this.recordNewest());
    this.last = next.catch(() => {}); // the next one tries again
    return next;
  }

  private async recordNewest(): Promise<void> {
    const { file, run } = this.options;
    for (let attempt = 1; ; attempt++) {
      const newest = newestCheckpoint(this.directory);
      if (!newest) {
        throw new CheckpointRecordError(
          this.directory,
          "holds no complete checkpoint, though Flink reports one: Flink and this machine must see the same folder",
        );
      }
      if (newest.number <= this.recorded) return;
      try {
        const point = await restorePointOf(newest, run, file);
        const before = readCheckpointRecord(file);
        if (!before) throw new CheckpointRecordError(file, "is missing: the state was emptied while the run went on");
        if (before.newestRun > run) {
          throw new CheckpointRecordError(
            file,
            `belongs to run ${before.newestRun}, which was started after run ${run}`,
          );
        }
        writeCheckpointRecord(file, { newestRun: run, restorePoint: point });
        const first = this.recorded < 0;
        this.recorded = newest.number;
        if (first) void this.removeOtherRuns();
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** They are older than what is recorded now, and would fill the disk. */
  private async removeOtherRuns(): Promise<void> {
    const { checkpoints } = this.options;
    try {
      for (const name of await readdir(checkpoints)) {
        const folder = path.join(checkpoints, name);
        if (folder !== this.directory) await rm(folder, { recursive: true, force: true });
      }
    } catch (error) {
      console.warn(`Checkpoints of earlier runs in ${checkpoints} cannot be removed: ${(error as Error).message}`);
    }
  }
}
