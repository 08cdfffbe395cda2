import { readFileSync } from "node:fs";

/** A key that a client may present, and the name it has in metrics and logs. */
export interface NamedKey {
  /** Several keys may have one name: while a key is replaced by another, both are valid. */
  readonly name: string;
  readonly key: string;
}

const MAX_KEYS = 1000;
/** Longest key, characters. */
export const MAX_KEY_LENGTH = 256;
/** What a header can carry as it is. */
const KEY = /^[!-~]+$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A file that holds no keys, or wrong ones. The message never quotes the file: it is about keys. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

interface Entry extends NamedKey {
  /** Where it stands, for messages. */
  readonly at: string;
}

const unnamed = (index: number): string => `key-${index + 1}`;

function fromJson(text: string): Entry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without V8's message, which quotes what it could not read.
    throw new KeyFileError("begins like JSON and is none");
  }
  if (Array.isArray(value)) {
    return value.map((key: unknown, i) => ({
      name: unnamed(i),
      key: textOf(key, `entry ${i + 1}`),
      at: `entry ${i + 1}`,
    }));
  }
  return Object.entries(value as Record<string, unknown>).flatMap(([name, keys], i) => {
    if (!NAME.test(name)) {
      throw new KeyFileError(`entry ${i + 1}: a name must be 1 to 64 letters, digits, dots, underscores or hyphens`);
    }
    const list: unknown[] = Array.isArray(keys) ? keys : [keys];
    return list.map((key) => ({ name, key: textOf(key, name), at: name }));
  });
}

function textOf(key: unknown, at: string): string {
  if (typeof key !== "string") throw new KeyFileError(`${at}: a key must be a string`);
  return key;
}

function fromLines(text: string): Entry[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ key: line.trim(), at: `line ${i + 1}` }));
  return lines
    .filter(({ key }) => key !== "" && !key.startsWith("#"))
    .map(({ key, at }, i) => ({ name: unnamed(i), key, at }));
}

/**
 * The keys in a text: one a line (empty lines and lines that begin with # count for nothing), a JSON array of keys, or a
 * JSON object `{"name": "key", "name": ["key", "key"]}`. Keys without a name are key-1, key-2 and so on.
 * @throws KeyFileError
 */
export function parseKeys(text: string): NamedKey[] {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  const entries = /^[[{]/.test(trimmed) ? fromJson(trimmed) : fromLines(trimmed);
  if (entries.length === 0) throw new KeyFileError("holds no key");
  if (entries.length > MAX_KEYS) throw new KeyFileError(`holds more than ${MAX_KEYS} keys`);
  const seen = new Set<string>();
  for (const { key, at } of entries) {
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) {
      throw new KeyFileError(`${at}: a key must be 1 to ${MAX_KEY_LENGTH} visible ASCII characters without blanks`);
    }
    if (seen.has(key)) throw new KeyFileError(`${at}: the same key stands there twice`);
    seen.add(key);
  }
  return entries.map(({ name, key }) => ({ name, key }));
}

/** For options that name a file of keys: what is wrong with it, or undefined. */
export function keyFileProblem(path: string): string | undefined {
  try {
    parseKeys(readFileSync(path, "utf8"));
    return undefined;
  } catch (error) {
    return `must name a file of keys: ${(error as Error).message}`;
  }
}
