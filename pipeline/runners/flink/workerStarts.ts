/**
 * Numbers the starts of workers: each is higher than all earlier ones of the same state, also after a power loss, and also when
 * worker pools on several machines start workers at the same time. Versions of the rollups are derived from the numbers.
 *
 * A start claims a number by creating a file with that name, which only one process can do. A claim counts when no higher one
 * exists after it was made: a process that was slow may have claimed a number whose file was removed before.
 */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { replaceFile } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";

/** Holds the number of the newest start that was set by {@link raiseWorkerStarts}, or by an earlier release. */
export const WORKER_STARTS_FILE = "worker-starts.json";
const CLAIM = /^worker-start-(\d+)$/;

function claims(directory: string): number[] {
  return readdirSync(directory).flatMap((name) => {
    const number = CLAIM.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

const claimFile = (directory: string, number: number): string => path.join(directory, `worker-start-${number}`);

/** The number of the newest start; 0: none. @param directory the state directory */
export function newestWorkerStart(directory: string): number {
  const file = path.join(directory, WORKER_STARTS_FILE);
  const set = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as number) : 0;
  return Math.max(set, ...claims(directory));
}

/** Creates the file of a claim, and makes it durable. @returns whether this process has created it */
function claim(directory: string, number: number): boolean {
  try {
    closeSync(openSync(claimFile(directory, number), "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  const folder = openSync(directory, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return true;
}

/** The number of a new start. @param directory the state directory */
export function nextWorkerStart(directory: string): number {
  for (;;) {
    const number = newestWorkerStart(directory) + 1;
    if (!claim(directory, number)) continue;
    const others = claims(directory);
    if (others.some((other) => other > number)) continue;
    for (const old of others) if (old < number) rmSync(claimFile(directory, old), { force: true });
    return number;
  }
}

/** Makes all later numbers higher than `start`. */
export function raiseWorkerStarts(directory: string, start: number): void {
  if (start > newestWorkerStart(directory))
    replaceFile(path.join(directory, WORKER_STARTS_FILE), JSON.stringify(start) + "\n");
}
