import { readdirSync, statSync } from "node:fs";
import path = require("node:path");

export interface Checkpoint {
  /** Folder `…/<job id>/chk-<n>`. */
  readonly directory: string;
  readonly number: number;
  /** Epoch ms. */
  readonly completedAt: number;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * The newest complete checkpoint below a folder of retained checkpoints (`<directory>/<job id>/chk-<n>/_metadata`), of
 * any job; undefined when there is none. Flink writes `_metadata` last.
 */
export function newestCheckpoint(directory: string): Checkpoint | undefined {
  let newest: Checkpoint | undefined;
  for (const job of list(directory)) {
    for (const name of list(path.join(directory, job))) {
      const match = /^chk-(\d+)$/.exec(name);
      if (!match) continue;
      const checkpoint = path.join(directory, job, name);
      const metadata = statSync(path.join(checkpoint, "_metadata"), { throwIfNoEntry: false });
      if (!metadata?.size) continue;
      const found = { directory: checkpoint, number: Number(match[1]), completedAt: metadata.mtimeMs };
      if (!newest || found.completedAt > newest.completedAt) newest = found;
    }
  }
  return newest;
}
