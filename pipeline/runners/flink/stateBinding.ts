import type { StateLabels } from "@eventlogger/gcp/bigquery/stateLabels";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";

/** The tables that a state belongs to; see `LabelledTables`. */
export interface BoundTables {
  readonly name: string;
  labels(): Promise<StateLabels | undefined>;
  hasNumbers(): Promise<boolean>;
  label(labels: StateLabels): Promise<void>;
  labelCommand(labels: StateLabels): string;
}

export interface BindOptions {
  /** Forget the state in the directory. */
  readonly fresh: boolean;
  /** With `fresh`: also when the tables hold numbers, which are then wrong from now on. */
  readonly acceptWrongNumbers: boolean;
}

/**
 * State and tables do not belong together, so every number that changes would be wrong: use the directory that belongs to
 * the tables, or begin anew.
 */
export class StateTablesMismatchError extends Error {
  constructor(found: string, consequence: string, fix: string) {
    super(`${found} Nothing was started, because ${consequence}.\n${fix}`);
    this.name = "StateTablesMismatchError";
  }
}

const RIGHT_DIRECTORY =
  "Use the --state-dir that belongs to these tables. Is its volume missing, or was it restored from a backup?";

const waysOut = (table: string): string =>
  `${RIGHT_DIRECTORY}\n` +
  "Or start with --fresh --accept-wrong-numbers: that empties the state, and from then on the numbers in " +
  `${table} lack every event that was counted before`;

/** @throws StateTablesMismatchError unless an empty state is right, or wrong numbers are accepted */
async function requireEmptyTables(
  directory: string,
  labels: StateLabels | undefined,
  tables: BoundTables,
  fresh: boolean,
): Promise<void> {
  if (!(await tables.hasNumbers())) return;
  const owner = labels ? `that come from the state ${labels.state}` : "of earlier runs";
  throw new StateTablesMismatchError(
    fresh
      ? `--fresh empties the state, and ${tables.name} holds numbers ${owner}.`
      : `${directory} holds no state, and ${tables.name} holds numbers ${owner}.`,
    "every day that gets an event would be counted from zero, and the right numbers replaced by wrong ones",
    waysOut(tables.name),
  );
}

/** @throws StateTablesMismatchError when the state did not count what the tables hold */
async function requireMatch(
  state: StateDirectory,
  labels: StateLabels | undefined,
  tables: BoundTables,
): Promise<void> {
  const { directory, identity, newestRun, recordedCheckpoint } = state;
  const refuse = (what: string, consequence: string, fix: string): never => {
    throw new StateTablesMismatchError(what, consequence, fix);
  };
  if (labels && identity?.id === labels.state) {
    if (newestRun >= labels.run && recordedCheckpoint >= labels.checkpoint) return;
    refuse(
      `${directory} holds an old copy of the state: it ends with run ${newestRun} and checkpoint ` +
        `${recordedCheckpoint}, but ${tables.name} was written by run ${labels.run} and checkpoint ${labels.checkpoint}.`,
      "what was acknowledged since the copy was made is not in it and would be missing in the numbers for good",
      waysOut(tables.name),
    );
  }
  if (!state.hasState()) return requireEmptyTables(directory, labels, tables, false);
  if (labels) {
    refuse(
      `${directory} holds the state ${identity?.id ?? "of a version without ids"}, and the numbers in ${tables.name} come ` +
        `from the state ${labels.state}.`,
      "the numbers of each day would be replaced by those of other events",
      waysOut(tables.name),
    );
  }
  // State without an id, or whose tables were not labelled yet: of an earlier version. It is adopted, once.
  if (!identity?.tablesLabelled) return;
  refuse(
    `${directory} holds the state ${identity.id}, and ${tables.name} has no label of a state: the table was made again, or ` +
      "its labels were removed.",
    "the state counts events that may not be in these tables",
    "If only the labels were removed, set them again: " +
      `${tables.labelCommand({ state: identity.id, run: newestRun, checkpoint: recordedCheckpoint })}\n` +
      "If the tables were made again, start with --fresh; with numbers in them that also takes --accept-wrong-numbers",
  );
}

/**
 * Begins a run on a state directory, once it is certain that its state counted what the tables hold, and that the recorded
 * checkpoint can be restored. Labels the tables with the state and the run. An empty state takes empty tables.
 * @throws StateMismatchError, StateTablesMismatchError, DamagedCheckpointError, CheckpointRecordError,
 *   AmbiguousCheckpointsError; nothing is changed then
 */
export async function beginBoundRun(
  state: StateDirectory,
  tables: BoundTables,
  settings: StateSettings,
  { fresh, acceptWrongNumbers }: BindOptions,
): Promise<RunStart> {
  if (!fresh) state.requireSettings(settings);
  const labels = await tables.labels();
  if (fresh) {
    if (!acceptWrongNumbers) await requireEmptyTables(state.directory, labels, tables, true);
    state.clear(settings);
  } else {
    await state.restorePoint();
    await requireMatch(state, labels, tables);
    state.identify(settings);
  }
  const start = await state.beginRun();
  await labelTables(state, tables);
  state.recordTablesLabelled(settings);
  return start;
}

async function labelTables(state: StateDirectory, tables: BoundTables): Promise<void> {
  const { identity, newestRun, recordedCheckpoint } = state;
  if (identity) await tables.label({ state: identity.id, run: newestRun, checkpoint: recordedCheckpoint });
}

/** At most this long a stop waits for the last label; ms. */
const LAST_LABEL_MS = 1000;

/**
 * Labels the tables with the recorded checkpoint from time to time, so that a copy of the state that was made earlier in
 * the same run is recognised as old. A label that cannot be set is told, and the run goes on.
 * @returns a function that sets the label for the last time; call it when the run has stopped
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
    await Promise.race([next(), new Promise((resolve) => setTimeout(resolve, LAST_LABEL_MS))]);
  };
}
