import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";

/**
 * The state directory of a generation: that of the first one contains those of the others.
 * @param base `--state-dir`
 */
export function stateDirectoryOf(base: string, generation: number): string {
  return generation === FIRST_GENERATION ? base : path.join(base, `generation-${generation}`);
}

/** The generation, other than the first, whose state directory has a name; undefined for every other name. */
export function generationOfDirectory(name: string): number | undefined {
  const [, generation] = /^generation-([1-9]\d*)$/.exec(name) ?? [];
  return generation === undefined ? undefined : Number(generation);
}

/** A file of this name in the state directory asks its run to look at its lease now, because its generation has been retired. */
export const CHECK_LEASE_FILE = "check-lease";

const POLL_MS = 500;

/** Calls a function when the file {@link CHECK_LEASE_FILE} appears, and removes the file. @returns ends it */
export function watchLeaseFile(directory: string, check: () => void): () => void {
  const file = path.join(directory, CHECK_LEASE_FILE);
  const timer = setInterval(() => {
    if (!existsSync(file)) return;
    rmSync(file, { force: true });
    check();
  }, POLL_MS).unref();
  return () => clearInterval(timer);
}
