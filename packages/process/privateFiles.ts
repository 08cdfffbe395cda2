import { chmodSync, lstatSync, readdirSync, type Stats } from "node:fs";
import path from "node:path";

/** Mask for `process.umask`: new files and folders of this process and of its children are only for its user. */
export const PRIVATE_UMASK = 0o077;

const STICKY = 0o1000;

function chmodPrivate(file: string, stats: Stats): void {
  const mode = stats.isDirectory() ? 0o700 : 0o600;
  if ((stats.mode & 0o7777) === mode) return;
  try {
    chmodSync(file, mode);
  } catch (error) {
    // A file that was removed meanwhile, or that belongs to another user and cannot be changed.
    if (!["ENOENT", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function makeTreePrivate(file: string): void {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (!stats || (!stats.isDirectory() && !stats.isFile())) return;
  chmodPrivate(file, stats);
  if (stats.isDirectory()) for (const name of readdirSync(file)) makeTreePrivate(path.join(file, name));
}

/**
 * Removes the permissions of other users from entries of a folder, with everything in them, and from the folder. The folder
 * itself is left as it is when it is also used for something else: when it has the sticky bit, as /tmp, or contains the
 * working directory. Links are not followed. Entries that do not exist are skipped.
 */
export function makePrivate(folder: string, entries: readonly string[]): void {
  for (const entry of entries) makeTreePrivate(path.join(folder, entry));
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  const isShared = (process.cwd() + path.sep).startsWith(path.join(path.resolve(folder), path.sep));
  if (stats?.isDirectory() && !(stats.mode & STICKY) && !isShared) chmodPrivate(folder, stats);
}
