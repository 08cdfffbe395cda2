import { readdirSync, statSync } from "node:fs";
import path = require("node:path");

export interface Checkpoint {
  /** Flink's id of the job that made it. */
  readonly job: string;
  /** Folder `…/<job id>/chk-<n>`. */
  readonly directory: string;
  /** Grows within a job, and goes on growing in a job that was restored from this one. */
  readonly number: number;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

/**
 * The complete checkpoints below a folder of retained checkpoints (`<directory>/<job id>/chk-<n>/_metadata`), the one
 * with the highest number first. Flink writes `_metadata` last, and renames it into place when it is whole.
 * Times of files play no part: copying a folder, restoring it from a backup, or a wrong clock changes them.
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

/** The complete checkpoint with the highest number; undefined when there is none. */
export function newestCheckpoint(directory: string): Checkpoint | undefined {
  return completeCheckpoints(directory)[0];
}
