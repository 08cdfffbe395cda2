import { readdirSync, statSync } from "node:fs";
import path from "node:path";

/** A complete checkpoint on disk. */
export interface Checkpoint {
  /** Flink's id of the job that took it. */
  readonly job: string;
  /** Folder `…/<job id>/chk-<n>`. */
  readonly directory: string;
  /** Increases within a job, and continues to increase in a job that is restored from this checkpoint. */
  readonly number: number;
}

/** The names in a folder; empty when it does not exist. */
export function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

/**
 * The complete checkpoints below a folder of retained checkpoints (`<directory>/<job id>/chk-<n>/_metadata`), highest
 * number first. Flink writes `_metadata` last, and renames it into place when it is complete. The order ignores file
 * times, because copies, backups and wrong clocks change them. Empty when the folder does not exist.
 */
export function completeCheckpoints(directory: string): Checkpoint[] {
  const found: Checkpoint[] = [];
  for (const job of list(directory)) {
    for (const name of list(path.join(directory, job))) {
      const match = /^chk-(\d+)$/.exec(name);
      if (!match) continue;
      const checkpoint = path.join(directory, job, name);
      const metadata = statSync(path.join(checkpoint, "_metadata"), { throwIfNoEntry: false });
      if (metadata?.size) found.push({ job, directory: checkpoint, number: Number(match[1]) });
    }
  }
  return found.sort((a, b) => b.number - a.number);
}

/** The complete checkpoint with the highest number; undefined when no checkpoint is complete. */
export function newestCheckpoint(directory: string): Checkpoint | undefined {
  return completeCheckpoints(directory)[0];
}
