import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import {
  CheckpointRecordError,
  checkpointToRestore,
  completeCheckpoints,
  readCheckpointRecord,
  removeCheckpointRecord,
  replaceFile,
  restorePointOf,
  StateBackendMismatchError,
  writeCheckpointRecord,
  type CheckpointRecord,
  type CheckpointRecorderOptions,
  type StateBackend,
} from "@eventlogger/beam";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { deadLetterFolder } from "../../deadLetters/deadLetterFiles";
import { endProcess, identifyProcess, isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";
import type { RestoredState } from "../../snapshot/restoredState";
import { DirectoryLock } from "./directoryLock";
import { nextWorkerStart, raiseWorkerStarts } from "./workerStarts";

/** The parts of a state directory that are its state. */
export const STATE_FILES = {
  /** Record of the checkpoint to resume from. */
  record: "current.json",
  settings: "settings.json",
  checkpoints: "checkpoints",
} as const;

/** The settings that the stored state depends on. A run with other settings cannot resume from it. */
export interface StateSettings {
  readonly project: string;
  readonly subscription: string;
  readonly dataset: string;
  readonly generation: number;
  readonly sessionGapMs: number;
  /** IANA name of the time zone of the days. */
  readonly timeZone: string;
  /** Whether sessions and active days of bots count. */
  readonly countBots: boolean;
  /** `--session-windows`: other steps have the state with another value. */
  readonly sessionWindows: string;
  /** See `STATE_FORMAT`. */
  readonly stateFormat: number;
}

/** Another run uses the state directory. Stop that run, or choose another `--state-dir`. */
export class StateDirectoryInUseError extends Error {
  constructor(directory: string, run: string) {
    super(`${directory} is in use by ${run}. Stop that run, or choose another --state-dir`);
    this.name = "StateDirectoryInUseError";
  }
}

/**
 * An earlier version left several checkpoints with the same number, so that the newest one is unknown. Remove the folders of
 * the older jobs.
 */
export class AmbiguousCheckpointsError extends Error {
  constructor(directories: readonly string[]) {
    super(
      `The newest checkpoint is unknown: ${directories.join(", ")} have the same number and come from different jobs. ` +
        "Remove the folder of the job that ran earlier; its checkpoint lacks events that were acknowledged later",
    );
    this.name = "AmbiguousCheckpointsError";
  }
}

/** The state was created with other settings. Use those settings, or start with `--fresh` and empty tables. */
export class StateMismatchError extends Error {
  constructor(directory: string, differences: readonly string[]) {
    super(
      `The state in ${directory} was created with other settings (${differences.join("; ")}). Use those settings, or ` +
        "start with empty state (--fresh), which requires empty tables",
    );
    this.name = "StateMismatchError";
  }
}

/**
 * Another release wrote the state, in a format that this one cannot read. Run the release that wrote it, make the numbers again with the
 * command in the message, or start with `--fresh` and empty tables.
 */
export class StateFormatError extends Error {
  /** @param rebuildCommand makes the numbers again from the raw events, for a shell */
  constructor(directory: string, found: number, expected: number, rebuildCommand: string) {
    super(
      `The state in ${directory} has format ${found}, but this release reads format ${expected}. Run the release that wrote ` +
        "it, or start with empty state (--fresh), which requires empty tables. Or make the numbers again from the raw events:\n" +
        `  ${rebuildCommand}`,
    );
    this.name = "StateFormatError";
  }
}

/** What the state is whose settings do not contain it. */
const EARLIER: Pick<StateSettings, LaterSettings> = {
  stateFormat: 1,
  generation: FIRST_GENERATION,
  timeZone: UTC_NAME,
  countBots: false,
};

/** Identifies the state in a directory. */
export interface StateIdentity {
  /** Random; a label of the tables. */
  readonly id: string;
  /** Whether the tables have the label. */
  readonly tablesLabelled: boolean;
}

/** Settings that are absent in folders of releases before they existed. */
type LaterSettings = "stateFormat" | "generation" | "timeZone" | "countBots";

type Settings = Omit<StateSettings, LaterSettings> &
  Partial<Pick<StateSettings, LaterSettings>> & {
    readonly stateId?: string;
    readonly tablesLabelled?: boolean;
    readonly shardHashSecret?: string;
  };

/** The start of a run. */
export interface RunStart {
  /** Number of the run on this state; increases with every run. */
  readonly run: number;
  /** Undefined when nothing was acknowledged yet, so that the state is empty. */
  readonly restoreFrom: { readonly directory: string; readonly number: number } | undefined;
  readonly checkpointRecord: CheckpointRecorderOptions;
  /** Set when the state comes from a snapshot, and the events that it lacks were not replayed yet. */
  readonly restored?: RestoredState | undefined;
}

interface Processes {
  readonly launcher: ProcessIdentity;
  readonly children: readonly ProcessIdentity[];
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}

/** Replaces the file atomically, so that a kill leaves either the old or the new file. */
function writeJson(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value, null, 2) + "\n");
  renameSync(temporary, file);
}

/** Takes the lock of a folder. @throws StateDirectoryInUseError */
function lockDirectory(directory: string): DirectoryLock | undefined {
  const file = path.join(directory, "lock");
  const lock = DirectoryLock.take(file, { host: hostname(), pid: process.pid, since: new Date().toISOString() });
  if (lock === "unsupported") return undefined;
  if (lock !== "held") return lock;
  const holder = DirectoryLock.holder(file);
  const name = holder ? `process ${holder.pid} on ${holder.host} since ${holder.since}` : "a process that just started";
  throw new StateDirectoryInUseError(directory, `another run (${name})`);
}

/**
 * The persistent folder of runs: checkpoints to resume from, their settings, logs, and the processes of the run that uses
 * the folder.
 */
export class StateDirectory {
  private readonly launcher = identifyProcess(process.pid) as ProcessIdentity;
  /** Set by this run, instead of the saved one. */
  private newShardHash: { readonly secret: string | undefined } | undefined;

  private constructor(
    readonly directory: string,
    private readonly lock: DirectoryLock | undefined,
  ) {}

  /**
   * Whether the operating system keeps other runs out of the folder. Otherwise only process ids are compared, which does not
   * recognise a run in another container.
   */
  get isLocked(): boolean {
    return this.lock !== undefined;
  }

  get checkpoints(): string {
    return path.join(this.directory, STATE_FILES.checkpoints);
  }
  get logs(): string {
    return path.join(this.directory, "logs");
  }
  get work(): string {
    return path.join(this.directory, "work");
  }
  /** Copies of the dead letters. They outlive `--fresh`. */
  get deadLetters(): string {
    return deadLetterFolder(this.directory);
  }
  private get processesFile(): string {
    return path.join(this.directory, "processes.json");
  }
  /** Record of the checkpoint to resume from. */
  private get recordFile(): string {
    return path.join(this.directory, STATE_FILES.record);
  }
  private get leasesFile(): string {
    return path.join(this.directory, "leases.json");
  }
  private get settingsFile(): string {
    return path.join(this.directory, STATE_FILES.settings);
  }

  /**
   * Opens the folder for this process, and keeps other runs out until {@link close}. First stops the processes that a killed
   * run left: if two jobs with separate state read one subscription, the numbers of both are wrong.
   * @throws StateDirectoryInUseError
   */
  static async open(directory: string): Promise<StateDirectory> {
    const absolute = path.resolve(directory);
    mkdirSync(absolute, { recursive: true });
    const state = new StateDirectory(absolute, lockDirectory(absolute));
    try {
      for (const dir of [state.checkpoints, state.logs, state.work]) mkdirSync(dir, { recursive: true });
      // Without the lock, and for a run of an earlier release, which takes no lock.
      const before = readJson<Processes>(state.processesFile);
      if (before && before.launcher.pid !== process.pid && isRunning(before.launcher)) {
        throw new StateDirectoryInUseError(state.directory, `a run with process id ${before.launcher.pid}`);
      }
      await state.endChildren();
      state.recordChildren([]);
      return state;
    } catch (error) {
      state.lock?.release();
      throw error;
    }
  }

  /** Records the child processes of this run, in case it is killed. */
  recordChildren(pids: readonly number[]): void {
    const children = pids.map(identifyProcess).filter((p) => p !== undefined);
    writeJson(this.processesFile, { launcher: this.launcher, children } satisfies Processes);
  }

  /** Stops the recorded child processes, of this run or an earlier one. @param graceMs time before a kill; ms */
  async endChildren(graceMs?: number): Promise<void> {
    for (const child of readJson<Processes>(this.processesFile)?.children ?? []) await endProcess(child, graceMs);
  }

  /**
   * @param rebuildCommand makes the numbers again, for the message
   * @throws StateFormatError, StateMismatchError when the state was created with other settings
   */
  requireSettings(settings: StateSettings, rebuildCommand = "eventlogger rebuild --take-over"): void {
    const saved = this.settings();
    if (!this.hasState()) return;
    const format = saved?.stateFormat ?? EARLIER.stateFormat;
    if (format !== settings.stateFormat) {
      throw new StateFormatError(this.directory, format, settings.stateFormat, rebuildCommand);
    }
    if (!saved) return;
    const before: StateSettings = { ...EARLIER, ...saved };
    const differences = (Object.keys(settings) as (keyof StateSettings)[])
      .filter((key) => before[key] !== settings[key])
      .map((key) => `${key} ${before[key]}, now ${settings[key]}`);
    if (differences.length) throw new StateMismatchError(this.directory, differences);
  }

  /** Undefined for a new folder, and for a folder of a version without ids. */
  get identity(): StateIdentity | undefined {
    const { stateId, tablesLabelled } = this.settings() ?? {};
    return stateId === undefined ? undefined : { id: stateId, tablesLabelled: tablesLabelled === true };
  }

  /** The secret of the hash in the keys of the state; undefined for a folder without state. Never print it. */
  get shardHashSecret(): string | undefined {
    return this.newShardHash ? this.newShardHash.secret : this.settings()?.shardHashSecret;
  }

  /** Sets the secret of the hash in the keys of the state. It is saved with the settings. Only for a folder without state. */
  setShardHashSecret(secret: string | undefined): void {
    this.newShardHash = { secret };
  }

  /** Number of the newest run on this state; 0 before the first run. */
  get newestRun(): number {
    return readCheckpointRecord(this.recordFile)?.newestRun ?? 0;
  }

  /** Number of the recorded checkpoint; 0 before the first one. */
  get recordedCheckpoint(): number {
    return readCheckpointRecord(this.recordFile)?.restorePoint?.checkpoint ?? 0;
  }

  /** Whether a checkpoint was recorded, so that the state counts events. */
  hasState(): boolean {
    const record = readCheckpointRecord(this.recordFile);
    return record ? record.restorePoint !== null : completeCheckpoints(this.checkpoints).length > 0;
  }

  /** Deletes all state. The folder then has a new identity. */
  clear(settings: StateSettings): StateIdentity {
    // The settings are deleted last: without them the folder counts as new.
    removeCheckpointRecord(this.recordFile);
    rmSync(this.checkpoints, { recursive: true, force: true });
    rmSync(this.settingsFile, { force: true });
    mkdirSync(this.checkpoints, { recursive: true });
    return this.identify(settings);
  }

  /** Records the settings, and assigns an id to state without one. */
  identify(settings: StateSettings): StateIdentity {
    const identity = this.identity ?? { id: randomUUID(), tablesLabelled: false };
    this.saveSettings(settings, identity);
    return identity;
  }

  /** Records that the tables have the label. */
  recordTablesLabelled(settings: StateSettings): void {
    this.saveSettings(settings, { ...this.identify(settings), tablesLabelled: true });
  }

  /**
   * The checkpoint to resume from; undefined when nothing was acknowledged yet. Never falls back to an older checkpoint.
   * @param stateBackend the state backend of the run
   * @throws CheckpointRecordError, DamagedCheckpointError, AmbiguousCheckpointsError; StateMismatchError when another state
   *   backend wrote the checkpoint
   */
  async restorePoint(stateBackend: StateBackend = "heap"): Promise<RunStart["restoreFrom"]> {
    const { restorePoint } = await this.record();
    if (!restorePoint) return undefined;
    try {
      return checkpointToRestore(this.recordFile, this.checkpoints, restorePoint, stateBackend);
    } catch (error) {
      if (!(error instanceof StateBackendMismatchError)) throw error;
      throw new StateMismatchError(this.directory, [`--state-backend ${error.written}, now ${error.requested}`]);
    }
  }

  /**
   * Begins a run. From then on, an earlier run cannot record checkpoints.
   * @param after the number of the run is higher than this
   * @throws the errors of {@link restorePoint}
   */
  async beginRun(stateBackend: StateBackend = "heap", after = 0): Promise<RunStart> {
    const restoreFrom = await this.restorePoint(stateBackend);
    const record = await this.record();
    const run = Math.max(record.newestRun, after) + 1;
    this.removeUnrecordedRuns(restoreFrom?.directory);
    writeCheckpointRecord(this.recordFile, { ...record, newestRun: run });
    const checkpointRecord = { file: this.recordFile, checkpoints: this.checkpoints, run, stateBackend };
    return { run, restoreFrom, checkpointRecord };
  }

  /**
   * The ids of runs on this folder that may hold the lease of the dataset: the last one that took it, and one that was killed
   * while it took it.
   */
  get leases(): readonly string[] {
    return readJson<readonly string[]>(this.leasesFile) ?? [];
  }

  /** Records the ids of {@link leases}, so that the next run on this folder takes the lease over after a kill. */
  recordLeases(runs: readonly string[]): void {
    replaceFile(this.leasesFile, JSON.stringify(runs) + "\n");
  }

  /** Makes all later worker starts higher than `start`. */
  raiseWorkerStarts(start: number): void {
    raiseWorkerStarts(this.directory, start);
  }

  /** The number of a new worker start: higher than all earlier ones on this folder, also after a power loss. */
  nextWorkerStart(): number {
    return nextWorkerStart(this.directory);
  }

  private async record(): Promise<CheckpointRecord> {
    const record = readCheckpointRecord(this.recordFile);
    if (record) return record;
    if (this.identity?.tablesLabelled) {
      throw new CheckpointRecordError(
        this.recordFile,
        "is missing. It names the checkpoint to resume from, and no other checkpoint is safe. Restore the file from a copy",
      );
    }
    return { newestRun: 0, restorePoint: await this.unrecordedCheckpoint() };
  }

  /** Removes the files of runs that recorded no checkpoint, and so acknowledged nothing. They would fill the disk. */
  private removeUnrecordedRuns(restoreFrom: string | undefined): void {
    for (const name of readdirSync(this.checkpoints)) {
      const folder = path.join(this.checkpoints, name);
      if (!/^run-\d+$/.test(name) || restoreFrom?.startsWith(folder + path.sep)) continue;
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /**
   * The newest checkpoint of a version that kept no record. A job that resumes from a checkpoint continues its numbering, so
   * that the highest number is the newest.
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
    const { shardHashSecret } = this;
    const saved: Settings = { ...settings, stateId: id, tablesLabelled, ...(shardHashSecret && { shardHashSecret }) };
    replaceFile(this.settingsFile, JSON.stringify(saved, null, 2) + "\n");
  }

  /** Releases the folder. */
  close(): void {
    rmSync(this.processesFile, { force: true });
    this.lock?.release();
  }
}
