import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path = require("node:path");
import { newestCheckpoint, type Checkpoint } from "../beam";
import { endProcess, identifyProcess, isRunning, type ProcessIdentity } from "../beam/process/processIdentity";

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

/** The state belongs to other settings: run with those, or start anew with `--fresh`. */
export class StateMismatchError extends Error {
  constructor(directory: string, differences: readonly string[]) {
    super(
      `The state in ${directory} was made with other settings (${differences.join("; ")}). Run with those settings, or ` +
        `start anew with --fresh, which makes right rollups only when the dataset is empty, too`,
    );
    this.name = "StateMismatchError";
  }
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

  /** Forgets all state. */
  clear(): void {
    rmSync(this.checkpoints, { recursive: true, force: true });
    rmSync(this.settingsFile, { force: true });
    mkdirSync(this.checkpoints, { recursive: true });
  }

  /**
   * The checkpoint to go on from; undefined when there is none yet. Remembers the settings.
   * @throws StateMismatchError
   */
  resume(settings: StateSettings): Checkpoint | undefined {
    const checkpoint = newestCheckpoint(this.checkpoints);
    const before = readJson<StateSettings>(this.settingsFile);
    if (checkpoint && before) {
      const differences = (Object.keys(settings) as (keyof StateSettings)[])
        .filter((key) => before[key] !== settings[key])
        .map((key) => `${key} ${before[key]}, now ${settings[key]}`);
      if (differences.length) throw new StateMismatchError(this.directory, differences);
    }
    writeJson(this.settingsFile, settings);
    return checkpoint;
  }

  /** Gives the folder back. */
  close(): void {
    rmSync(this.processesFile, { force: true });
  }
}
