import { closeSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { UserError } from "@eventlogger/process/main";

/** Begins each `_metadata`, in Flink's `Checkpoints.HEADER_MAGIC_NUMBER`. */
const MAGIC = 0x4960672d;
/** Magic number, version of the format, and number of the checkpoint. */
const HEADER_BYTES = 4 + 4 + 8;

/** The savepoint or checkpoint of `--restore-from` cannot be used. */
export class SavepointError extends UserError {
  constructor(directory: string, reason: string) {
    super(`--restore-from ${directory} ${reason}`);
    this.name = "SavepointError";
  }
}

/**
 * A savepoint or checkpoint to restore instead of the recorded checkpoint. Savepoints have a number of the same sequence as the
 * checkpoints of their job.
 * @param directory the folder with `_metadata`, or a `file:` URI of it
 * @param recorded number of the recorded checkpoint; 0: none
 * @throws SavepointError when the folder contains no savepoint, or one that is older than the recorded checkpoint: it would lack acknowledged events
 */
export function savepointToRestore(
  directory: string,
  recorded: number,
): { readonly directory: string; readonly number: number } {
  const folder = path.resolve(directory.replace(/^file:(\/\/)?(?=\/)/, ""));
  const header = Buffer.alloc(HEADER_BYTES);
  try {
    const file = openSync(path.join(folder, "_metadata"), "r");
    try {
      if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES || header.readUInt32BE(0) !== MAGIC) {
        throw new SavepointError(
          directory,
          "is not a savepoint or checkpoint of Flink: its _metadata has another format",
        );
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof SavepointError) throw error;
    throw new SavepointError(directory, `cannot be read: ${(error as Error).message}`);
  }
  const number = Number(header.readBigInt64BE(8));
  if (recorded === 0) {
    throw new SavepointError(
      directory,
      "does not belong to --state-dir, which contains no state: use the --state-dir of its job",
    );
  }
  if (number < recorded) {
    throw new SavepointError(
      directory,
      `has number ${number} and is older than checkpoint ${recorded} of --state-dir: it lacks events that were acknowledged ` +
        "since, and the numbers would lack them permanently",
    );
  }
  return { directory: folder, number };
}
