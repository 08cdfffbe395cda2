import { createReadStream } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { deadLetterFileNames } from "./deadLetterFiles";
import type { StoredDeadLetter } from "./storedDeadLetter";

/** A line that is not a dead letter: half of one, or something else. */
export interface UnreadableLine {
  readonly file: string;
  /** Number of the line, from 1. */
  readonly line: number;
}

const TEXTS = ["id", "error_type", "error_message", "payload", "payload_encoding", "source", "failed_at"] as const;

function parseLine(text: string): StoredDeadLetter | undefined {
  try {
    const value = JSON.parse(text) as Partial<Record<(typeof TEXTS)[number], unknown>> | null;
    if (!value || !TEXTS.every((name) => typeof value[name] === "string")) return undefined;
    if (Number.isNaN(Date.parse(String(value.failed_at)))) return undefined;
    return value as StoredDeadLetter;
  } catch {
    return undefined;
  }
}

/** All files of dead letters of some folders, by their days. */
async function filesByDay(folders: readonly string[]): Promise<string[]> {
  const files = (await Promise.all(folders.map(deadLetterFileNames))).flat();
  return files.sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
}

/**
 * Reads the dead letters of some folders, each once, day after day; those of a day and folder in the order in which they were written.
 * Lines that are not dead letters are reported and skipped.
 */
export async function* readDeadLetterFiles(
  folders: readonly string[],
  onUnreadable: (line: UnreadableLine) => void,
): AsyncGenerator<StoredDeadLetter> {
  const seen = new Set<string>();
  for (const file of await filesByDay(folders)) {
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      line++;
      if (text === "") continue;
      const letter = parseLine(text);
      if (!letter) onUnreadable({ file, line });
      else if (!seen.has(letter.id)) {
        seen.add(letter.id);
        yield letter;
      }
    }
  }
}
