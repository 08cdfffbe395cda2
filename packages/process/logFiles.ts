import { appendFileSync, copyFileSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";

/** Appends text to a log file. Errors are ignored: a full disk must not stop the process that logs. */
export function appendLog(file: string, text: string): void {
  try {
    appendFileSync(file, text);
  } catch {
    // There is nowhere else to write it.
  }
}

export interface RotationOptions {
  /** Size at which a file is rotated; bytes. */
  readonly maxBytes: number;
  /** Number of earlier files to keep: `x.log.1` is the newest, `x.log.<keep>` the oldest. 1 or more. */
  readonly keep: number;
}

/**
 * Rotates a log file when it is too large: its content is copied to `x.log.1`, and the file is emptied. Its writers must
 * append to it, because they keep it open; a line that they write meanwhile may be lost. Errors are ignored, so that a full
 * disk stops nothing: without room for a copy, the file is emptied all the same.
 * @returns whether the file was rotated
 */
export function rotateLog(file: string, { maxBytes, keep }: RotationOptions): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return false;
  try {
    for (let n = keep - 1; n >= 1; n--) {
      if (statSync(`${file}.${n}`, { throwIfNoEntry: false })) renameSync(`${file}.${n}`, `${file}.${n + 1}`);
    }
    copyFileSync(file, `${file}.1`);
  } catch {
    rmSync(`${file}.1`, { force: true });
  }
  try {
    truncateSync(file);
  } catch {
    return false;
  }
  return true;
}
