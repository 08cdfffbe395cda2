import type { StateLabels } from "@eventlogger/gcp/bigquery/generations";
import type { StateBackend } from "@eventlogger/beam";
import { withTimeout } from "@eventlogger/process/wait";
import { readRestored, removeRestored, requireWholeRestore, writeRestored } from "../../snapshot/restoredState";
import { startOfVersion } from "../../totals/versionNumbers";
import type { RunStart, StateDirectory, StateSettings } from "./stateDirectory";

/** The numbers that a state belongs to. `LabelledGeneration` implements it. */
export interface BoundTables {
  /** For messages. */
  readonly name: string;
  labels(): Promise<StateLabels | undefined>;
  hasNumbers(): Promise<boolean>;
  /** Whether the table of the numbers is newer than the generation. */
  isTableNewer(): Promise<boolean>;
  maxVersion(): Promise<number>;
  label(labels: StateLabels): Promise<void>;
  labelCommand(
    labels: StateLabels,
    settings: Pick<StateSettings, "sessionGapMs" | "timeZone" | "countBots" | "stateFormat">,
  ): Promise<string>;
}

export interface BindOptions {
  /** Where Flink keeps the state of this run. @default "heap" */
  readonly stateBackend?: StateBackend;
  /** Whether to delete the state in the directory first. */
  readonly fresh: boolean;
  /** With `fresh`: whether to start even if there are numbers, which are wrong from then on. */
  readonly acceptWrongNumbers: boolean;
  /** The command that makes the numbers again without the state. @default without options */
  readonly rebuildCommand?: string;
  /**
   * Claims the generation for this run, or throws. Called after the checks that only read, and before anything is changed.
   */
  readonly claim?: () => Promise<void>;
}

/**
 * The state directory does not belong to the numbers, so that every updated number would be wrong. Use the directory that
 * belongs to them, or make the numbers again.
 */
export class StateTablesMismatchError extends Error {
  constructor(found: string, consequence: string, fix: string) {
    super(`${found} The run was not started, because ${consequence}.\n${fix}`);
    this.name = "StateTablesMismatchError";
  }
}

const REBUILD = "eventlogger rebuild --take-over";

/** What to do when the state does not belong to the numbers. */
function remedies(numbers: string, rebuildCommand: string): string {
  return (
    "Use the --state-dir that belongs to these numbers. Check whether its volume is missing or was restored from a backup.\n" +
    `If the state is lost, make the numbers again from the raw events:\n  ${rebuildCommand}\n` +
    "Or start with --fresh --accept-wrong-numbers. This deletes the state, and from then on the numbers of " +
    `${numbers} lack every event that was counted before.`
  );
}

const CONSEQUENCE_OF_EMPTY_STATE =
  "every day with a new event would be counted from zero, and wrong numbers would replace correct ones";

/** Decides whether a state belongs to the numbers of a generation. */
class BindingCheck {
  constructor(
    private readonly state: StateDirectory,
    private readonly settings: StateSettings,
    private readonly tables: BoundTables,
    private readonly labels: StateLabels | undefined,
    private readonly rebuildCommand: string,
  ) {}

  /** @throws StateTablesMismatchError when there are numbers, which an empty state would replace */
  async requireNoNumbers(fresh: boolean): Promise<void> {
    const { state, labels, tables } = this;
    if (!(await tables.hasNumbers())) return;
    const origin = labels ? `from the state ${labels.state}` : "from earlier runs";
    const problem = fresh ? "--fresh deletes the state" : `${state.directory} contains no state`;
    throw this.mismatch(`${problem}, but ${tables.name} has numbers ${origin}.`, CONSEQUENCE_OF_EMPTY_STATE);
  }

  /** @throws StateTablesMismatchError when the numbers do not come from the state */
  async requireMatch(): Promise<void> {
    const { state, labels, tables } = this;
    const { directory, identity } = state;
    if (labels && identity?.id === labels.state) return this.requireNewest(labels);
    if (!state.hasState()) return this.requireNoNumbers(false);
    if (labels) {
      throw this.mismatch(
        `${directory} contains the state ${identity?.id ?? "of a version without ids"}, but the numbers of ${tables.name} ` +
          `come from the state ${labels.state}.`,
        "the numbers of each day would be replaced by numbers of other events",
      );
    }
    // State of an earlier version, without an id or without labels: adopt it once.
    if (identity?.tablesLabelled) await this.refuseUnlabelled(identity.id);
  }

  private async requireNewest({ run, checkpoint }: StateLabels): Promise<void> {
    const { directory, newestRun, recordedCheckpoint } = this.state;
    const { tables } = this;
    // `eventlogger restore` has said what is missing. Only once: then it is the newest state.
    const isRestored = readRestored(directory)?.accepted === false;
    if (!isRestored && (newestRun < run || recordedCheckpoint < checkpoint)) {
      throw this.mismatch(
        `${directory} contains an old copy of the state: it ends with run ${newestRun} and checkpoint ` +
          `${recordedCheckpoint}, but ${tables.name} was written by run ${run} and checkpoint ${checkpoint}.`,
        "the copy lacks the events that were acknowledged later, and the numbers would lack them permanently",
      );
    }
    if (recordedCheckpoint > 0 && (await tables.isTableNewer()) && !(await tables.hasNumbers())) {
      throw this.mismatch(
        `${directory} contains the state of ${tables.name}, but the table of its numbers was recreated and has none of them.`,
        "only days with new events would get numbers",
      );
    }
  }

  /** @throws StateTablesMismatchError */
  private async refuseUnlabelled(id: string): Promise<never> {
    const { directory, newestRun: run, recordedCheckpoint: checkpoint } = this.state;
    const { tables, settings, rebuildCommand } = this;
    throw new StateTablesMismatchError(
      `${directory} contains the state ${id}, but ${tables.name} has no label of a state: the tables were recreated, or its ` +
        "labels were removed.",
      "the state may count events that are not in these numbers",
      "If only the labels were removed, set them again:\n" +
        `  ${await tables.labelCommand({ state: id, run, checkpoint }, settings)}\n` +
        `If the tables were recreated, make the numbers again from the raw events, if there are any:\n  ${rebuildCommand}\n` +
        "Or start with --fresh. If there are numbers, add --accept-wrong-numbers.",
    );
  }

  private mismatch(found: string, consequence: string): StateTablesMismatchError {
    return new StateTablesMismatchError(found, consequence, remedies(this.tables.name, this.rebuildCommand));
  }
}

/**
 * Begins a run on a state directory. Checks first that the numbers of the generation come from its state, and that the recorded
 * checkpoint can be restored; an empty state requires that there are no numbers. Labels the generation with the state and the run.
 * @throws StateMismatchError, StateTablesMismatchError, DamagedCheckpointError, CheckpointRecordError,
 *   AmbiguousCheckpointsError; then nothing is changed
 */
export async function beginBoundRun(
  state: StateDirectory,
  tables: BoundTables,
  settings: StateSettings,
  { stateBackend, fresh, acceptWrongNumbers, rebuildCommand = REBUILD, claim }: BindOptions,
): Promise<RunStart> {
  if (!fresh) requireWholeRestore(state.directory);
  if (!fresh) state.requireSettings(settings, rebuildCommand);
  const labels = await tables.labels();
  const check = new BindingCheck(state, settings, tables, labels, rebuildCommand);
  if (fresh) {
    if (!acceptWrongNumbers) await check.requireNoNumbers(true);
    await claim?.();
    state.clear(settings);
    removeRestored(state.directory);
  } else {
    await state.restorePoint(stateBackend);
    await check.requireMatch();
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
 * Labels the generation with the recorded checkpoint periodically, so that an earlier copy of the state from the same run is
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
    await withTimeout(next(), LAST_LABEL_TIMEOUT_MS, "labelling the generation").catch(onError);
  };
}
