/**
 * Numbers of rollup versions. A counter decides, never a clock: a version that a worker with a fast clock wrote just before
 * it crashed would stay the newest for as long as the clock was ahead, although the restored state lacks it.
 *
 * Each start of a worker process has its own block of numbers, above the blocks of all earlier starts. So a version that a
 * worker writes is higher than everything that earlier workers wrote, whatever the restored state knows of that. Within its
 * block a process counts up from the last version of the day that it wrote itself, because it can outlive a restore.
 */

/** Numbers in the block of a worker start. A day gets at most some versions a second, so that a block lasts for years. */
const BLOCK = 2 ** 30;

/** Environment variable of workers on Flink: every version is higher than this number. */
export const VERSION_FLOOR_VARIABLE = "EVENTLOGGER_VERSION_FLOOR";

/**
 * The number below the block of a worker start.
 * @throws RangeError when no safe integer is left, after some 8 million starts
 */
export function versionFloor(start: number): number {
  if (!Number.isSafeInteger((start + 1) * BLOCK)) {
    throw new RangeError(`No numbers for rollup versions are left: this is start ${start} of a worker`);
  }
  return start * BLOCK;
}

/** The newest worker start that may have written a version. Versions of earlier releases are epoch milliseconds. */
export function startOfVersion(version: number): number {
  return Math.floor(version / BLOCK);
}

/** @throws Error when the variable is not a version */
function floorOfWorker(): number {
  const text = process.env[VERSION_FLOOR_VARIABLE];
  if (text === undefined) return 0;
  const floor = Number(text);
  if (!Number.isSafeInteger(floor) || floor < 0) {
    throw new Error(`${VERSION_FLOOR_VARIABLE} must be a whole number, but is "${text}"`);
  }
  return floor;
}

/** Numbers the versions that one process writes. */
export class VersionNumbers {
  /** The last version of each day that this process wrote. */
  private readonly written = new Map<number, number>();

  /** @param floor every version is higher */
  constructor(private readonly floor: number = floorOfWorker()) {}

  /**
   * The number of the next version of a day: higher than all that were written before.
   * @param day epoch day
   * @param known the version of the day in the state
   * @param floor a further lower bound
   */
  next(day: number, known: number, floor = 0): number {
    const version = Math.max(known, floor, this.floor, this.written.get(day) ?? 0) + 1;
    this.written.set(day, version);
    return version;
  }
}
