import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endProcess, identifyProcess, isRunning, type ProcessIdentity } from "@eventlogger/process/processIdentity";
import { killMarkedProcesses } from "./processMarker";

/** The record of a running stack, from which the next one can clean up after it. */
interface StackRecord {
  readonly id: string;
  readonly owner: ProcessIdentity;
  readonly processes: readonly (ProcessIdentity & { readonly name: string })[];
}

const RECORD = "stack.json";
/** What a stack creates in its directory; deleted by the next one. */
const OWNED = ["logs", "bigquery", "pipeline", "nginx"] as const;
/** Time that the processes of a killed stack have to stop, ms; the pipeline also stops its own children. */
const GRACE_MS = 6000;

function readRecord(file: string): StackRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as StackRecord;
  } catch {
    return undefined;
  }
}

/** The directory of one stack: its logs, its data, and the record of its processes. */
export class StackDirectory {
  readonly logs: string;
  readonly bigquery: string;
  readonly pipeline: string;
  readonly nginx: string;
  private processes: StackRecord["processes"] = [];

  private constructor(
    readonly path: string,
    readonly id: string,
  ) {
    [this.logs, this.bigquery, this.pipeline, this.nginx] = OWNED.map((name) => join(path, name)) as [
      string,
      string,
      string,
      string,
    ];
  }

  /**
   * Claims a directory for a new stack: stops the processes that a killed stack left running, and empties it.
   * @throws Error when another stack runs there, or when the directory holds files that no stack has created
   */
  static async claim(path: string, id: string, onProgress: (line: string) => void): Promise<StackDirectory> {
    mkdirSync(path, { recursive: true });
    const file = join(path, RECORD);
    const before = readRecord(file);
    if (before && isRunning(before.owner)) {
      throw new Error(
        `Another stack is running in ${path} (process ${before.owner.pid}). Stop it, or set another LOCAL_DIR`,
      );
    }
    const foreign = existsSync(file) ? undefined : readdirSync(path)[0];
    if (foreign !== undefined) {
      throw new Error(`LOCAL_DIR ${path} holds other files (${foreign}). Set a new or an empty directory`);
    }
    if (before) await stopLeftovers(before, onProgress);
    for (const name of OWNED) rmSync(join(path, name), { recursive: true, force: true });
    const directory = new StackDirectory(path, id);
    for (const dir of [directory.logs, directory.nginx]) mkdirSync(dir);
    // They contain events.
    for (const dir of [directory.bigquery, directory.pipeline]) mkdirSync(dir, { mode: 0o700 });
    directory.write();
    return directory;
  }

  logFile(name: string): string {
    return join(this.logs, `${name}.log`);
  }

  /** Adds a process to the record. */
  record(name: string, pid: number): void {
    const identity = identifyProcess(pid);
    if (!identity) return;
    const others = this.processes.filter((p) => p.name !== name);
    this.processes = [...others, { name, ...identity }];
    this.write();
  }

  private write(): void {
    const owner = identifyProcess(process.pid) as ProcessIdentity;
    const record: StackRecord = { id: this.id, owner, processes: this.processes };
    // Renamed into place: a reader never finds half a record.
    const file = join(this.path, RECORD);
    writeFileSync(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
    renameSync(`${file}.new`, file);
  }
}

async function stopLeftovers(record: StackRecord, onProgress: (line: string) => void): Promise<void> {
  const left = record.processes.filter(isRunning);
  if (left.length) {
    onProgress(`stopping leftovers of an earlier stack: ${left.map((p) => p.name).join(", ")}`);
    await Promise.all(left.map((p) => endProcess(p, GRACE_MS)));
  }
  await killMarkedProcesses(record.id);
}
