import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path = require("node:path");
import {
  CheckpointRecordError,
  checkpointToRestore,
  completeCheckpoints,
  readCheckpointRecord,
  replaceFile,
  restorePointOf,
  writeCheckpointRecord,
  type CheckpointRecord,
  type CheckpointRecorderOptions,
} from "@eventlogger/beam";
import { endProcess, identifyProcess, isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";

/** What the stored state depends on: a run with other values cannot go on from it. */
export interface StateSettings {
  readonly project: string;
  readonly subscription: string;
  readonly dataset: string;
  readonly sessionGapMs: number;
  readonly userBuckets: number;
  readonly sessionBucketsPerDay: number;
}

/** Another run uses the state directory: stop it, or choose another `--state-dir`. */
export class StateDirectoryInUseError extends Error {
  constructor(directory: string, pid: number) {
    super(`${directory} is in use by a run with process id ${pid}; stop it first, or choose another --state-dir`);
    this.name = "StateDirectoryInUseError";
  }
}

/**
 * An earlier version left checkpoints, and it is not certain which one is the newest: remove the folders of the jobs that
 * are older.
 */
export class AmbiguousCheckpointsError extends Error {
  constructor(directories: readonly string[]) {
    super(
      `It is not certain which checkpoint is the newest: ${directories.join(", ")} have the same number and were made by ` +
        "different jobs. Remove the folder of the job that ran earlier; its checkpoint lacks what was acknowledged since",
    );
    this.name = "AmbiguousCheckpointsError";
  }
}

/** The state was made with other settings: run with those, or start with `--fresh` over empty tables. */
export class StateMismatchError extends Error {
  constructor(directory: string, differences: readonly string[]) {
    super(
      `The state in ${directory} was made with other settings (${differences.join("; ")}). Run with those settings, or ` +
        `start with empty state (--fresh), which takes empty tables`,
    );
    this.name = "StateMismatchError";
  }
}

/** The state that a directory holds, as its tables know it. */
export interface StateIdentity {
  /** Random; the tables carry it as a label. */
  readonly id: string;
  /** Whether the tables were labelled with the id. */
  readonly tablesLabelled: boolean;
}

type Settings = StateSettings & { readonly stateId?: string; readonly tablesLabelled?: boolean };

/** How a run begins. */
export interface RunStart {
  /** Grows with every run on this state. */
  readonly run: number;
  /** undefined: nothing was acknowledged yet, so the state is empty. */
  readonly restoreFrom: { readonly directory: string; readonly number: number } | undefined;
  readonly checkpointRecord: CheckpointRecorderOptions;
}

interface Processes {
  readonly launcher: ProcessIdentity;
  readonly children: readonly ProcessIdentity[];
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}

/** Replaces the file as a whole, so that a kill leaves the old or the new one. */
function writeJson(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value, null, 2) + "\n");
  renameSync(temporary, file);
}

/**
 * The folder that outlives runs: checkpoints to go on from, the settings they were made with, logs, and the processes of
 * the run that uses it.
 */
export class StateDirectory {
  private readonly launcher = identifyProcess(process.pid) as ProcessIdentity;

  private constructor(readonly directory: string) {}

  get checkpoints(): string {
    return path.join(this.directory, "checkpoints");
  }
  get logs(): string {
    return path.join(this.directory, "logs");
  }
  get work(): string {
    return path.join(this.directory, "work");
  }
  private get processesFile(): string {
    return path.join(this.directory, "processes.json");
  }
  /** Names the checkpoint to resume from. */
  private get recordFile(): string {
    return path.join(this.directory, "current.json");
  }
  private get settingsFile(): string {
    return path.join(this.directory, "settings.json");
  }

  /**
   * Takes the folder for this process. What a killed run left running is ended first: two jobs that read one
   * subscription with a state each would both be wrong.
   * @throws StateDirectoryInUseError
   */
  static async open(directory: string): Promise<StateDirectory> {
    const state = new StateDirectory(path.resolve(directory));
    for (const dir of [state.checkpoints, state.logs, state.work]) mkdirSync(dir, { recursive: true });
    const before = readJson<Processes>(state.processesFile);
    if (before && before.launcher.pid !== process.pid && isRunning(before.launcher)) {
      throw new StateDirectoryInUseError(state.directory, before.launcher.pid);
    }
    await state.endChildren();
    state.recordChildren([]);
    return state;
  }

  /** Remembers the children of this run, in case it is killed. */
  recordChildren(pids: readonly number[]): void {
    const children = pids.map(identifyProcess).filter((p) => p !== undefined);
    writeJson(this.processesFile, { launcher: this.launcher, children } satisfies Processes);
  }

  /** Ends the children that were recorded, whoever started them. */
  async endChildren(graceMs?: number): Promise<void> {
    for (const child of readJson<Processes>(this.processesFile)?.children ?? []) await endProcess(child, graceMs);
  }

  /** @throws StateMismatchError when the state was made with other settings */
  requireSettings(settings: StateSettings): void {
    const before = this.settings();
    if (!before || !this.hasState()) return;
    const differences = (Object.keys(settings) as (keyof StateSettings)[])
      .filter((key) => before[key] !== settings[key])
      .map((key) => `${key} ${before[key]}, now ${settings[key]}`);
    if (differences.length) throw new StateMismatchError(this.directory, differences);
  }

  /** undefined for a new folder, and for one of a version that gave no ids. */
  get identity(): StateIdentity | undefined {
    const { stateId, tablesLabelled } = this.settings() ?? {};
    return stateId === undefined ? undefined : { id: stateId, tablesLabelled: tablesLabelled === true };
  }

  /** The newest run that was started on this state; 0 when there was none. */
  get newestRun(): number {
    return readCheckpointRecord(this.recordFile)?.newestRun ?? 0;
  }

  /** The recorded checkpoint; 0 when there is none yet. */
  get recordedCheckpoint(): number {
    return readCheckpointRecord(this.recordFile)?.restorePoint?.checkpoint ?? 0;
  }

  /** Whether events were counted in this state. */
  hasState(): boolean {
    const record = readCheckpointRecord(this.recordFile);
    return record ? record.restorePoint !== null : completeCheckpoints(this.checkpoints).length > 0;
  }

  /** Forgets all state; the folder then has a new identity. */
  clear(settings: StateSettings): StateIdentity {
    // The settings last: without them the folder counts as new.
    rmSync(this.recordFile, { force: true });
    rmSync(this.checkpoints, { recursive: true, force: true });
    rmSync(this.settingsFile, { force: true });
    mkdirSync(this.checkpoints, { recursive: true });
    return this.identify(settings);
  }

  /** Gives the state an id where it has none, and remembers the settings. */
  identify(settings: StateSettings): StateIdentity {
    const identity = this.identity ?? { id: randomUUID(), tablesLabelled: false };
    this.saveSettings(settings, identity);
    return identity;
  }

  /** Remembers that the tables carry the label. */
  recordTablesLabelled(settings: StateSettings): void {
    this.saveSettings(settings, { ...this.identify(settings), tablesLabelled: true });
  }

  /**
   * The checkpoint to resume from; undefined when nothing was acknowledged yet.
   * @throws CheckpointRecordError, DamagedCheckpointError, AmbiguousCheckpointsError: never an older one instead
   */
  async restorePoint(): Promise<RunStart["restoreFrom"]> {
    const { restorePoint } = await this.record();
    return restorePoint ? checkpointToRestore(this.recordFile, this.checkpoints, restorePoint) : undefined;
  }

  /**
   * Begins a run: from now on an earlier one cannot record checkpoints any more.
   * @throws as `restorePoint`
   */
  async beginRun(): Promise<RunStart> {
    const restoreFrom = await this.restorePoint();
    const record = await this.record();
    const run = record.newestRun + 1;
    this.removeUnrecordedRuns(restoreFrom?.directory);
    writeCheckpointRecord(this.recordFile, { ...record, newestRun: run });
    return { run, restoreFrom, checkpointRecord: { file: this.recordFile, checkpoints: this.checkpoints, run } };
  }

  private async record(): Promise<CheckpointRecord> {
    const record = readCheckpointRecord(this.recordFile);
    if (record) return record;
    if (this.identity?.tablesLabelled) {
      throw new CheckpointRecordError(
        this.recordFile,
        "is missing. It names the checkpoint to resume from, and no other one is safe: put it back from a copy",
      );
    }
    return { newestRun: 0, restorePoint: await this.unrecordedCheckpoint() };
  }

  /** Runs that ended before they recorded a checkpoint acknowledged nothing; what they left would fill the disk. */
  private removeUnrecordedRuns(restoreFrom: string | undefined): void {
    for (const name of readdirSync(this.checkpoints)) {
      const folder = path.join(this.checkpoints, name);
      if (!/^run-\d+$/.test(name) || restoreFrom?.startsWith(folder + path.sep)) continue;
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /**
   * The newest checkpoint of a version that kept no record. A job that resumes from a checkpoint goes on with its number,
   * so the highest number is the newest.
   */
  private async unrecordedCheckpoint(): Promise<CheckpointRecord["restorePoint"]> {
    const [newest, ...others] = completeCheckpoints(this.checkpoints);
    if (!newest) return null;
    const equal = others.filter((c) => c.number === newest.number);
    if (equal.length) throw new AmbiguousCheckpointsError([newest, ...equal].map((c) => c.directory));
    return restorePointOf(newest, 0, this.recordFile);
  }

  private settings(): Settings | undefined {
    return readJson<Settings>(this.settingsFile);
  }

  private saveSettings(settings: StateSettings, { id, tablesLabelled }: StateIdentity): void {
    const saved: Settings = { ...settings, stateId: id, tablesLabelled };
    replaceFile(this.settingsFile, JSON.stringify(saved, null, 2) + "\n");
  }

  /** Gives the folder back. */
  close(): void {
    rmSync(this.processesFile, { force: true });
  }
}
