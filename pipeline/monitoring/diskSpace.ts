import { statfsSync } from "node:fs";

/** Without this much room, no checkpoint can be written; bytes. */
const MIN_FREE = 1 << 20;

const mib = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`;

/**
 * Why the next checkpoint has no room; undefined when it has, or when that is not known.
 * @param folder a folder on the disk
 * @param checkpointBytes size of the last checkpoint
 */
export function diskSpaceProblem(folder: string, checkpointBytes: number): string | undefined {
  let found: ReturnType<typeof statfsSync>;
  try {
    found = statfsSync(folder);
  } catch {
    return undefined;
  }
  const { bavail, bsize, files, ffree } = found;
  const needed = Math.max(MIN_FREE, checkpointBytes);
  if (bavail * bsize < needed) {
    return `the disk of ${folder} is full: ${mib(bavail * bsize)} are free, and a checkpoint needs ${mib(needed)}`;
  }
  // Some file systems have no limit of files, and report 0.
  if (files > 0 && ffree === 0) return `the disk of ${folder} has no room for further files`;
  return undefined;
}
