import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CheckpointRecordError,
  DamagedCheckpointError,
  intactCheckpoint,
  readCheckpointRecord,
  restorePointOf,
  SHARED,
  writeCheckpointRecord,
  type CheckpointRecord,
} from "./checkpointRecord";
import { sharedFiles } from "./sharedFiles";

/** Attempts to copy a checkpoint: a running job may remove it meanwhile, when newer ones are complete. */
const ATTEMPTS = 10;
const RETRY_AFTER_MS = 100;

/** Codes of file systems that have no hard links, or not between two folders. */
const NO_LINKS: readonly (string | undefined)[] = ["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Files of checkpoints never change, so that a link is as good as a copy, and takes neither time nor disk. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.includes(codeOf(error))) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

/**
 * Copies the recorded checkpoint, with the shared files that it needs and nothing else, and its record. The job may run
 * meanwhile: the copy is complete, and contains everything that was acknowledged before the call. Files are linked where the
 * file system can, and must not be changed in place.
 * @param recordFile the record
 * @param checkpoints folder with the checkpoints of all runs
 * @param target an empty folder. It gets a record with the same file name, and the checkpoint at the same relative path
 * @returns the record of the copy
 * @throws CheckpointRecordError when nothing is recorded; DamagedCheckpointError
 */
export async function copyCheckpoint(
  recordFile: string,
  checkpoints: string,
  target: string,
): Promise<CheckpointRecord> {
  for (let attempt = 1; ; attempt++) {
    const record = readCheckpointRecord(recordFile);
    if (!record) throw new CheckpointRecordError(recordFile, "is missing: the folder has no state");
    const { newestRun, restorePoint: point } = record;
    if (!point) throw new CheckpointRecordError(recordFile, "names no checkpoint: no event was acknowledged yet");
    try {
      const checkpoint = intactCheckpoint(recordFile, checkpoints, point);
      const inTarget = (file: string): string => path.join(target, path.relative(path.dirname(recordFile), file));
      const directory = inTarget(checkpoint.directory);
      const metadata = await readFile(path.join(checkpoint.directory, "_metadata"));
      const shared = [...sharedFiles(metadata, checkpoint.job).keys()].map((name) => path.join(SHARED, name));
      for (const name of [...(await readdir(checkpoint.directory)), ...shared]) {
        await linkOrCopy(path.join(checkpoint.directory, name), path.join(directory, name));
      }
      const copiedRecord = path.join(target, path.basename(recordFile));
      const copy = { job: checkpoint.job, directory, number: checkpoint.number };
      const restorePoint = await restorePointOf(copy, point.run, copiedRecord, point.stateBackend);
      const result = { newestRun, restorePoint };
      writeCheckpointRecord(copiedRecord, result);
      return result;
    } catch (error) {
      const wasRemoved = codeOf(error) === "ENOENT" || error instanceof DamagedCheckpointError;
      if (!wasRemoved || attempt === ATTEMPTS) throw error;
      await rm(path.join(target, path.relative(path.dirname(recordFile), checkpoints)), {
        recursive: true,
        force: true,
      });
      await sleep(RETRY_AFTER_MS);
    }
  }
}
