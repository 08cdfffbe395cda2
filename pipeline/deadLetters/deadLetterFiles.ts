import { chmod, mkdir, open, readdir, rm, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { generationOfDirectory, stateDirectoryOf } from "../runners/flink/generationDirectory";
import { deadLetterId, type StoredDeadLetter } from "./storedDeadLetter";

/** Total size of the files, bytes. With more, the oldest days are removed. */
const MAX_BYTES = 1024 ** 3;
/** Number of ids of earlier dead letters that are remembered. */
const MAX_KNOWN = 100_000;
/** How much of the newest file is read for the ids of its dead letters; bytes. */
const TAIL_BYTES = 16 * 1024 * 1024;

const FILE_NAME = /^\d{4}-\d{2}-\d{2}\.ndjson$/;
const NEWLINE = 0x0a;

/** The copies could not be written, for example because the disk is full. The bundle fails; its messages are redelivered. */
export class DeadLetterFileError extends Error {
  constructor(folder: string, rows: number, cause: Error) {
    super(
      `Could not write ${rows} dead ${rows === 1 ? "letter" : "letters"} to ${folder}: ${cause.message}. The bundle fails ` +
        "and its messages are redelivered",
      { cause },
    );
    this.name = "DeadLetterFileError";
  }
}

export interface AppendResult {
  /** Number of dead letters that were written; the others were in the files already, or had no room. */
  readonly appended: number;
  /** Number of dead letters for which there was no room, because the files of today alone have reached the limit. */
  readonly skipped: number;
  /** Files of earlier days that were removed to make room. */
  readonly removed: readonly string[];
}

/** The folder of the copies of dead letters in a state directory. */
export function deadLetterFolder(stateDirectory: string): string {
  return path.join(path.resolve(stateDirectory), "dead-letters");
}

/**
 * The folders of the copies of dead letters of all generations. The state directory of the first generation contains those of the others,
 * and their copies stay there when a generation ends.
 */
export async function deadLetterFolders(stateDirectory: string): Promise<string[]> {
  const names = await readdir(stateDirectory);
  const generations = names.flatMap((name) => generationOfDirectory(name) ?? []).sort((a, b) => a - b);
  return [FIRST_GENERATION, ...generations].map((generation) =>
    deadLetterFolder(stateDirectoryOf(stateDirectory, generation)),
  );
}

/** The files of dead letters in a folder, oldest first; absolute paths. Empty when there is no folder. */
export async function deadLetterFileNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => FILE_NAME.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

/**
 * A copy of the dead letters outside BigQuery: a folder with a file for each UTC day, in which each line is a
 * {@link StoredDeadLetter} as JSON. Only the user of this process can read them.
 */
export class DeadLetterFiles {
  /** Ids of the last dead letters in the files; undefined until the newest file was read. */
  private known: Set<string> | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly folder: string,
    private readonly maxBytes = MAX_BYTES,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Appends dead letters to the file of today. When it resolves, they are on the disk. Skips those that the files contain
   * already, as far as that is known; readers remove the other duplicates.
   * @throws DeadLetterFileError
   */
  append(rows: readonly DeadLetterRow[]): Promise<AppendResult> {
    const next = this.last.then(() => this.appendNow(rows));
    this.last = next.catch(() => {});
    return next.catch((error: unknown) => {
      throw new DeadLetterFileError(this.folder, rows.length, error as Error);
    });
  }

  private async appendNow(rows: readonly DeadLetterRow[]): Promise<AppendResult> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    this.known ??= await this.idsOfNewestFile();
    const fresh = new Map<string, string>();
    for (const row of rows) {
      const id = deadLetterId(row);
      if (!this.known.has(id)) fresh.set(id, `${JSON.stringify({ id, ...row } satisfies StoredDeadLetter)}\n`);
    }
    if (fresh.size === 0) return { appended: 0, skipped: 0, removed: [] };
    const data = Buffer.from([...fresh.values()].join(""));
    const file = path.join(this.folder, `${new Date(this.now()).toISOString().slice(0, 10)}.ndjson`);
    const { hasRoom, removed } = await this.makeRoom(file, data.length);
    if (!hasRoom) return { appended: 0, skipped: fresh.size, removed };
    await this.write(file, data);
    for (const id of fresh.keys()) this.known.add(id);
    for (const id of this.known) {
      if (this.known.size <= MAX_KNOWN) break;
      this.known.delete(id);
    }
    return { appended: fresh.size, skipped: 0, removed };
  }

  /** Removes files of earlier days, oldest first, while there is not enough room. */
  private async makeRoom(today: string, bytes: number): Promise<{ hasRoom: boolean; removed: string[] }> {
    const files = await deadLetterFileNames(this.folder);
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    let total = sizes.reduce((sum, size) => sum + size, bytes);
    const removed: string[] = [];
    for (const [index, file] of files.entries()) {
      if (total <= this.maxBytes) break;
      if (file === today) continue;
      await rm(file);
      removed.push(file);
      total -= sizes[index] ?? 0;
    }
    return { hasRoom: total <= this.maxBytes, removed };
  }

  private async write(file: string, data: Buffer): Promise<void> {
    const handle = await open(file, "a+", 0o600);
    try {
      const { size } = await handle.stat();
      // A process that was killed, or a full disk, may have left half a line.
      const separated = size > 0 && !(await endsWithNewline(handle, size));
      await handle.appendFile(separated ? Buffer.concat([Buffer.of(NEWLINE), data]) : data);
      await handle.sync();
      if (size === 0) await this.syncFolder(file);
    } finally {
      await handle.close();
    }
  }

  /** Makes a new file's name durable, and its permissions independent of the umask. */
  private async syncFolder(file: string): Promise<void> {
    await chmod(file, 0o600);
    const folder = await open(this.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** A redelivery often comes after a restart of this process. */
  private async idsOfNewestFile(): Promise<Set<string>> {
    const newest = (await deadLetterFileNames(this.folder)).at(-1);
    if (newest === undefined) return new Set();
    const handle = await open(newest, "r");
    try {
      const { size } = await handle.stat();
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
      await handle.read(tail, 0, tail.length, size - tail.length);
      const ids = [...tail.toString("latin1").matchAll(/^\{"id":"([\w-]{43})",.*\}$/gm)].map(([, id]) => id as string);
      return new Set(ids.slice(-MAX_KNOWN));
    } finally {
      await handle.close();
    }
  }
}

async function endsWithNewline(handle: FileHandle, size: number): Promise<boolean> {
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last[0] === NEWLINE;
}
