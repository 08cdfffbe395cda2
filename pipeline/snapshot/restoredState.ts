/**
 * Marks a state directory that was restored from a snapshot: its state lacks the events that were acknowledged after the
 * snapshot was made. The first run on it accepts that; until the events were replayed, each run warns.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { replaceFile } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import { UserError } from "@eventlogger/process/main";

const FILE = "restored.json";

/** What {@link FILE} contains. */
export interface RestoredState {
  /** Whether all files are in place. */
  readonly complete: boolean;
  /** ISO 8601. When the snapshot was made. */
  readonly snapshotAt: string;
  /** First day (UTC, of `received_date`) whose rows may have events that the state lacks: YYYY-MM-DD. */
  readonly replayFrom: string;
  /** Whether a run has begun on the state. From then on it is like any other: an older copy of it is refused. */
  readonly accepted: boolean;
}

/** Undefined when the state was not restored from a snapshot, or its events were replayed. */
export function readRestored(stateDir: string): RestoredState | undefined {
  const file = path.join(stateDir, FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RestoredState) : undefined;
}

export function writeRestored(stateDir: string, restored: RestoredState): void {
  replaceFile(path.join(stateDir, FILE), JSON.stringify(restored, null, 2) + "\n");
}

/** @throws UserError when a restore into the directory was interrupted */
export function requireWholeRestore(stateDir: string): void {
  if (readRestored(stateDir)?.complete !== false) return;
  throw new UserError(
    `The restore of a snapshot into ${stateDir} was interrupted. Run the same \`eventlogger restore\` again`,
  );
}

/** Removes the mark: the events were replayed, or the state was deleted. */
export function removeRestored(stateDir: string): void {
  rmSync(path.join(stateDir, FILE), { force: true });
}

/** What to do next, for a restored state. */
export function nextSteps(stateDir: string, { snapshotAt, replayFrom }: RestoredState): string {
  return (
    `the state was restored from a snapshot of ${snapshotAt}: the numbers lack events that were acknowledged since, until they ` +
    `are counted again.\nWhile the run works:  eventlogger replay --from ${replayFrom}\n` +
    `Then:                 eventlogger restore --state-dir ${/[^\w./-]/.test(stateDir) ? `'${stateDir}'` : stateDir} --replayed`
  );
}
