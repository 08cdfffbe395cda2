import { createReadStream } from "node:fs";
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

/**
 * Reads the dead letters of a folder, each once, in the order in which they were written. Lines that are not dead letters
 * are reported and skipped.
 */
export async function* readDeadLetterFiles(
  folder: string,
  onUnreadable: (line: UnreadableLine) => void,
): AsyncGenerator<StoredDeadLetter> {
  const seen = new Set<string>();
  for (const file of await deadLetterFileNames(folder)) {
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
