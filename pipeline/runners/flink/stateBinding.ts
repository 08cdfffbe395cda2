import type { StateLabels } from "@eventlogger/gcp/bigquery/generations";
import type { StateBackend } from "@eventlogger/beam";
import { withTimeout } from "@eventlogger/process/wait";
import { readRestored, removeRestored, requireWholeRestore, writeRestored } from "../../snapshot/restoredState";
import { startOfVersion } from "../../totals/versionNumbers";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";

/** The numbers that a state belongs to. `LabelledGeneration` implements it. */
export interface BoundTables {
  readonly name: string;
  labels(): Promise<StateLabels | undefined>;
  hasNumbers(): Promise<boolean>;
  maxVersion(): Promise<number>;
  label(labels: StateLabels): Promise<void>;
  labelCommand(labels: StateLabels): string;
}

export interface BindOptions {
  /** Where Flink keeps the state of this run. @default "heap" */
  readonly stateBackend?: StateBackend;
  /** Whether to delete the state in the directory first. */
  readonly fresh: boolean;
  /** With `fresh`: whether to start even if the tables contain numbers, which are wrong from then on. */
  readonly acceptWrongNumbers: boolean;
  /**
   * Claims the dataset for this run, or throws. Called after the checks that only read, and before anything is changed.
   */
  readonly claim?: () => Promise<void>;
}

/**
 * The state directory does not belong to the tables, so that every updated number would be wrong. Use the directory that
 * belongs to the tables, or start with empty state.
 */
export class StateTablesMismatchError extends Error {
  constructor(found: string, consequence: string, fix: string) {
    super(`${found} The run was not started, because ${consequence}.\n${fix}`);
    this.name = "StateTablesMismatchError";
  }
}

const RIGHT_DIRECTORY =
  "Use the --state-dir that belongs to these tables. Check whether its volume is missing or was restored from a backup.";

const remedies = (table: string): string =>
  `${RIGHT_DIRECTORY}\n` +
  "Or start with --fresh --accept-wrong-numbers. This deletes the state, and from then on the numbers in " +
  `${table} lack every event that was counted before.`;

/** @throws StateTablesMismatchError when the tables contain numbers, which an empty state would replace */
async function requireEmptyTables(
  directory: string,
  labels: StateLabels | undefined,
  tables: BoundTables,
  fresh: boolean,
): Promise<void> {
  if (!(await tables.hasNumbers())) return;
  const origin = labels ? `from the state ${labels.state}` : "from earlier runs";
  throw new StateTablesMismatchError(
    fresh
      ? `--fresh deletes the state, but ${tables.name} contains numbers ${origin}.`
      : `${directory} contains no state, but ${tables.name} contains numbers ${origin}.`,
    "every day with a new event would be counted from zero, and wrong numbers would replace correct ones",
    remedies(tables.name),
  );
}

/** @throws StateTablesMismatchError when the numbers in the tables do not come from the state */
async function requireMatch(
  state: StateDirectory,
  labels: StateLabels | undefined,
  tables: BoundTables,
): Promise<void> {
  const { directory, identity, newestRun, recordedCheckpoint } = state;
  const refuse = (found: string, consequence: string, fix: string): never => {
    throw new StateTablesMismatchError(found, consequence, fix);
  };
  if (labels && identity?.id === labels.state) {
    if (newestRun >= labels.run && recordedCheckpoint >= labels.checkpoint) return;
    // `eventlogger restore` has said what is missing. Only once: then it is the newest state.
    if (readRestored(directory)?.accepted === false) return;
    refuse(
      `${directory} contains an old copy of the state: it ends with run ${newestRun} and checkpoint ` +
        `${recordedCheckpoint}, but ${tables.name} was written by run ${labels.run} and checkpoint ${labels.checkpoint}.`,
      "the copy lacks the events that were acknowledged later, and the numbers would lack them permanently",
      remedies(tables.name),
    );
  }
  if (!state.hasState()) return requireEmptyTables(directory, labels, tables, false);
  if (labels) {
    refuse(
      `${directory} contains the state ${identity?.id ?? "of a version without ids"}, but the numbers in ${tables.name} ` +
        `come from the state ${labels.state}.`,
      "the numbers of each day would be replaced by numbers of other events",
      remedies(tables.name),
    );
  }
  // State of an earlier version, without an id or without labels on the tables: adopt it once.
  if (!identity?.tablesLabelled) return;
  refuse(
    `${directory} contains the state ${identity.id}, but ${tables.name} has no label of a state: the table was recreated, ` +
      "or its labels were removed.",
    "the state may count events that are not in these tables",
    "If only the labels were removed, set them again: " +
      `${tables.labelCommand({ state: identity.id, run: newestRun, checkpoint: recordedCheckpoint })}\n` +
      "If the tables were recreated, start with --fresh. If they contain numbers, add --accept-wrong-numbers.",
  );
}

/**
 * Begins a run on a state directory. Checks first that the numbers in the tables come from its state, and that the recorded
 * checkpoint can be restored; an empty state requires empty tables. Labels the tables with the state and the run.
 * @throws StateMismatchError, StateTablesMismatchError, DamagedCheckpointError, CheckpointRecordError,
 *   AmbiguousCheckpointsError; then nothing is changed
 */
export async function beginBoundRun(
  state: StateDirectory,
  tables: BoundTables,
  settings: StateSettings,
  { stateBackend, fresh, acceptWrongNumbers, claim }: BindOptions,
): Promise<RunStart> {
  if (!fresh) requireWholeRestore(state.directory);
  if (!fresh) state.requireSettings(settings);
  const labels = await tables.labels();
  if (fresh) {
    if (!acceptWrongNumbers) await requireEmptyTables(state.directory, labels, tables, true);
    await claim?.();
    state.clear(settings);
    removeRestored(state.directory);
  } else {
    await state.restorePoint(stateBackend);
    await requireMatch(state, labels, tables);
    await claim?.();
    state.identify(settings);
  }
  // The folder is new, or another one wrote versions: restored from a backup, or deleted with --fresh elsewhere.
  state.raiseWorkerStarts(startOfVersion(await tables.maxVersion()));
  // A restored state continues after the newest run, so that the directory of that run counts as old if it is found again.
  const start = await state.beginRun(stateBackend, labels?.state === state.identity?.id ? labels?.run : 0);
  await labelTables(state, tables);
  state.recordTablesLabelled(settings);
  const restored = readRestored(state.directory);
  if (restored) writeRestored(state.directory, { ...restored, accepted: true });
  return { ...start, restored };
}

async function labelTables(state: StateDirectory, tables: BoundTables): Promise<void> {
  const { identity, newestRun, recordedCheckpoint } = state;
  if (identity) await tables.label({ state: identity.id, run: newestRun, checkpoint: recordedCheckpoint });
}

/** Time limit for the last label when a run stops; ms. */
const LAST_LABEL_TIMEOUT_MS = 1000;

/**
 * Labels the tables with the recorded checkpoint periodically, so that an earlier copy of the state from the same run is
 * recognised as old. An error is passed to `onError`, and the run continues.
 * @returns a function that sets the label for the last time; call it after the run has stopped
 */
export function labelProgress(
  state: StateDirectory,
  tables: BoundTables,
  { everyMs, onError }: { readonly everyMs: number; readonly onError: (error: Error) => void },
): () => Promise<void> {
  let busy: Promise<void> = Promise.resolve();
  const next = (): Promise<void> => (busy = busy.then(() => labelTables(state, tables)).catch(onError));
  const timer = setInterval(() => void next(), everyMs);
  return async () => {
    clearInterval(timer);
    await withTimeout(next(), LAST_LABEL_TIMEOUT_MS, "labelling the tables").catch(onError);
  };
}
