import { attempt } from "./attempt";

/** The part of Web Storage that the client uses. */
export interface WebStorage {
  readonly length?: number;
  key?(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem?(key: string): void;
}

/** Storage of the app. The functions may return promises. */
export interface StorageAdapter {
  get(key: string): unknown;
  set(key: string, value: string): unknown;
  remove(key: string): unknown;
}

/** What the client keeps for the next page or the next start. Nothing throws: without storage, nothing is kept. */
export interface Store {
  get(key: string): string | null | undefined;
  /** @returns true when the value is stored */
  set(key: string, value: string): true | undefined;
  remove(key: string): void;
  keys(): string[];
}

/** All keys of the client start with it. */
export const PREFIX = "eventlogger.";
const ADAPTER_KEY = "eventlogger";

/** A store in a Web Storage that may be missing, forbidden or full. */
export function createStore(given?: WebStorage): Store {
  const storage = given as Required<WebStorage>;
  return {
    get: (key) => attempt(() => storage.getItem(key)),
    set: (key, value) => attempt(() => (storage.setItem(key, value), true)),
    remove: (key) => attempt(() => storage.removeItem(key)),
    keys: () => attempt(() => Array.from(storage, (_, i) => storage.key(i) as string)) || [],
  };
}

interface WithStorage {
  readonly document?: unknown;
  readonly localStorage?: WebStorage;
  readonly sessionStorage?: WebStorage;
}

/** The storage of a page. On a server, stored ids would be shared by all users. */
export const pageStore = (env: WithStorage): Store =>
  // Reading the property throws when storage is forbidden.
  createStore(env.document ? attempt(() => env.localStorage) || attempt(() => env.sessionStorage) : undefined);

/** Loads what the adapter has stored under one key, and writes all of it after each change, one write at a time. */
export async function adapterStore(adapter: StorageAdapter): Promise<Store> {
  let items: Record<string, string> = {};
  try {
    items = Object(JSON.parse((await adapter.get(ADAPTER_KEY)) as string)) as typeof items;
  } catch {
    // Nothing stored, or unreadable.
  }
  let written: Promise<unknown> = Promise.resolve();
  let isPlanned = false;
  /** Writes after the write before: all changes until then are one write. */
  function save(): true {
    if (!isPlanned) {
      written = written.then(async () => {
        isPlanned = false;
        const text = JSON.stringify(items);
        try {
          await (text === "{}" ? adapter.remove(ADAPTER_KEY) : adapter.set(ADAPTER_KEY, text));
        } catch {
          // Full or unavailable. The next change writes all of it.
        }
      });
    }
    return (isPlanned = true);
  }
  return {
    get: (key) => items[key],
    set(key, value) {
      items[key] = value;
      return save();
    },
    remove(key) {
      delete items[key];
      save();
    },
    keys: () => Object.keys(items),
  };
}
