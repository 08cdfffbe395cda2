import { readFileSync } from "node:fs";

/** A valid key, and its name in metrics and logs. */
export interface NamedKey {
  /** Several keys may share a name, so that both are valid while one replaces the other. */
  readonly name: string;
  readonly key: string;
}

const MAX_KEYS = 1000;
/** Maximum length of a key, characters. */
export const MAX_KEY_LENGTH = 256;
/** Characters that a header can carry unencoded. */
const KEY = /^[!-~]+$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A file without keys or with invalid keys. The message never quotes the file, because keys are secret. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

interface Entry extends NamedKey {
  /** Its position in the file, for messages. */
  readonly at: string;
}

const unnamed = (index: number): string => `key-${index + 1}`;

function fromJson(text: string): Entry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without V8's message, which quotes the text.
    throw new KeyFileError("looks like JSON but does not parse");
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
 * Parses keys: one per line (empty lines and lines that start with # are ignored), a JSON array of keys, or a JSON object
 * `{"name": "key", "name": ["key", "key"]}`. Keys without a name are called key-1, key-2 and so on.
 * @throws KeyFileError
 */
export function parseKeys(text: string): NamedKey[] {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  const entries = /^[[{]/.test(trimmed) ? fromJson(trimmed) : fromLines(trimmed);
  if (entries.length === 0) throw new KeyFileError("contains no key");
  if (entries.length > MAX_KEYS) throw new KeyFileError(`contains more than ${MAX_KEYS} keys`);
  const seen = new Set<string>();
  for (const { key, at } of entries) {
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) {
      throw new KeyFileError(`${at}: a key must be 1 to ${MAX_KEY_LENGTH} visible ASCII characters without spaces`);
    }
    if (seen.has(key)) throw new KeyFileError(`${at}: duplicate key`);
    seen.add(key);
  }
  return entries.map(({ name, key }) => ({ name, key }));
}

/** Validates an option that names a key file. @returns the problem, or undefined */
export function keyFileProblem(path: string): string | undefined {
  try {
    parseKeys(readFileSync(path, "utf8"));
    return undefined;
  } catch (error) {
    return `must name a key file: ${(error as Error).message}`;
  }
}
