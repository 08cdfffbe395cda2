/** The states of a step in a worker: reads them for the keys of a bundle, saves them, and caches them between bundles. */
import "../sdk";
import { getHeapStatistics } from "node:v8";
import protobufjs from "protobufjs";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { Context, type Coder } from "apache-beam/coders/coders";
import { LengthPrefixedCoder } from "apache-beam/coders/required_coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import type { Instant, PaneInfo, Window } from "apache-beam/values";
import type { OperatorContext } from "apache-beam/worker/operators";
import { userStateCacheToken } from "../patches/control";
import { LruCache } from "./cache";
import type { Cell, StateDeclarations } from "./cells";
import { stateMessages } from "./stateBatches";
import { StateClient } from "./stateChannel";
import { textWeight } from "./weighedMap";

const MIB = 1024 * 1024;
const MAX_DEFAULT_CACHE_MIB = 512;
const CACHE_BUDGET_BYTES =
  Number(process.env["BEAM_STATE_CACHE_MIB"] ?? defaultCacheMib(getHeapStatistics().heap_size_limit)) * MIB;

/** A quarter of the heap, so that the cache of a worker with little memory leaves room for a bundle; MiB. */
export function defaultCacheMib(heapLimitBytes: number): number {
  return Math.min(MAX_DEFAULT_CACHE_MIB, Math.floor(heapLimitBytes / MIB / 4));
}

/** Bytes of an entry besides its key and cells: objects, arrays of bytes, and the record in the cache. */
const ENTRY_OVERHEAD = 1000;

/** A change of a timer in the current bundle. */
export interface TimerChange {
  readonly name: string;
  readonly tag: string;
  /** Undefined: the timer is cleared. */
  readonly set?: { readonly fire: Instant; readonly hold: Instant; readonly pane: PaneInfo };
  /** Whether it fires after all other timers that are due. @default false */
  readonly isLast?: boolean;
}

/** The states and timers of one key and window. */
export class Entry {
  /** Set until the cells are loaded. */
  loading: Promise<unknown> | undefined;
  /** Time and pane of the last element or timer in the bundle. A timer may have no time. */
  timestamp: Instant | undefined;
  pane: PaneInfo | undefined;
  /** The changes of timers in the bundle, by name and tag. */
  timerChanges: Map<string, TimerChange> | undefined;
  /** When the timer that expires the states fires, epoch ms; undefined when that is not known. */
  expiresAtMs: number | undefined;
  /** The newest event time of the elements in the bundle after the last expiry of the states, epoch ms. */
  newestMs: number | undefined;

  constructor(
    readonly key: unknown,
    readonly keyWeight: number,
    readonly window: Window,
    readonly cells: Readonly<Record<string, Cell>>,
    readonly stateKeys: Readonly<Record<string, StateKey>>,
  ) {}

  get weight(): number {
    let sum = ENTRY_OVERHEAD + this.keyWeight;
    for (const cell of Object.values(this.cells)) sum += cell.weight;
    return sum;
  }

  /** Whether one of the cells is worth a place in the cache. */
  get isCached(): boolean {
    return Object.values(this.cells).some((cell) => cell.isCached ?? true);
  }

  clearStates(): void {
    for (const cell of Object.values(this.cells)) cell.clear();
  }

  /** Forgets what belongs to the bundle only. */
  bundleEnded(): void {
    this.timestamp = undefined;
    this.pane = undefined;
    this.timerChanges = undefined;
    this.newestMs = undefined;
  }
}

const cache = new LruCache<Entry>(CACHE_BUDGET_BYTES);

/** Counters of this process: state requests, and messages that contained them; entries, MiB, hits and misses of the cache. */
export function stateStats(): Readonly<
  Record<"requests" | "messages" | "cached" | "cachedMiB" | "hits" | "misses", number>
> {
  return {
    requests: StateClient.requests,
    messages: stateMessages(),
    cached: cache.size,
    cachedMiB: Math.round(cache.weight / MIB),
    hits: cache.hits,
    misses: cache.misses,
  };
}

/** Encodes a value in the nested form that state keys have. */
export function encodeNested<T>(coder: Coder<T>, value: T): Uint8Array {
  const writer = new protobufjs.Writer();
  coder.encode(value, writer, Context.needsDelimiters);
  // A copy, because callers keep the bytes: the writer's are a part of a pool of 8 KiB, which would stay in memory as well.
  return new Uint8Array(writer.finish());
}

function isTextCoder(coder: Coder<unknown>): boolean {
  if (coder instanceof LengthPrefixedCoder) {
    return isTextCoder(coder.elementCoder as Coder<unknown>);
  }
  return coder instanceof StrUtf8Coder;
}

/** The states of one step, while it processes bundles. */
export class KeyedStates {
  /** The entries of this bundle, by window and key. */
  private entriesById = new Map<string, Entry>();
  private client: StateClient | undefined;
  private cachePrefix: string | undefined;
  private readonly hasTextKeys: boolean;

  constructor(
    private readonly transformId: string,
    private readonly context: OperatorContext,
    private readonly declarations: StateDeclarations,
    private readonly keyCoder: Coder<unknown>,
    private readonly windowCoder: Coder<Window>,
  ) {
    this.hasTextKeys = isTextCoder(keyCoder);
  }

  startBundle(): void {
    this.entriesById = new Map();
    this.client = undefined;
    const token = userStateCacheToken(this.context);
    this.cachePrefix = token === undefined ? undefined : `${token}|${this.transformId}|`;
  }

  /** The entries of the keys and windows that the bundle has so far. */
  entries(): IterableIterator<Entry> {
    return this.entriesById.values();
  }

  /** The entry of a key and window. Its cells are being loaded while `loading` is set. */
  entryOf(window: Window, key: unknown): Entry {
    const windowBytes = encodeNested(this.windowCoder, window);
    const keyBytes = this.hasTextKeys ? undefined : encodeNested(this.keyCoder, key);
    const keyText = keyBytes ? Buffer.from(keyBytes).toString("latin1") : (key as string);
    const id = windowBytes.length ? `${Buffer.from(windowBytes).toString("base64")}|${keyText}` : keyText;
    const known = this.entriesById.get(id);
    if (known) return known;
    const cached = this.cachePrefix === undefined ? undefined : cache.take(this.cachePrefix + id);
    const entry = cached ?? this.createEntry(window, windowBytes, key, keyText, keyBytes);
    this.attachLazyCells(entry);
    this.entriesById.set(id, entry);
    return entry;
  }

  private createEntry(
    window: Window,
    windowBytes: Uint8Array,
    key: unknown,
    keyText: string,
    knownKeyBytes: Uint8Array | undefined,
  ): Entry {
    const keyBytes = knownKeyBytes ?? encodeNested(this.keyCoder, key);
    const cells: Record<string, Cell> = {};
    const stateKeys: Record<string, StateKey> = {};
    const reads: Promise<void>[] = [];
    for (const [name, declaration] of Object.entries(this.declarations)) {
      const cell = declaration.createCell();
      const stateKey: StateKey = {
        type: {
          oneofKind: "bagUserState",
          bagUserState: { transformId: this.transformId, userStateId: name, window: windowBytes, key: keyBytes },
        },
      };
      cells[name] = cell;
      stateKeys[name] = stateKey;
      if (!cell.attach)
        reads.push(
          this.getClient()
            .get(stateKey)
            .then((bytes) => cell.load(bytes)),
        );
    }
    // The key is in memory three times: as a value, encoded, and in the key of the cache.
    const entry = new Entry(key, 3 * textWeight(keyText), window, cells, stateKeys);
    if (reads.length) {
      entry.loading = Promise.all(reads);
      entry.loading.catch(() => {}); // who awaits it reports it
    }
    return entry;
  }

  private attachLazyCells({ cells, stateKeys }: Entry): void {
    for (const [name, cell] of Object.entries(cells)) {
      if (cell.attach) cell.attach(() => this.getClient().get(stateKeys[name] as StateKey));
    }
  }

  private getClient(): StateClient {
    return (this.client ??= StateClient.forBundle(this.context));
  }

  /** Sends the changes of the bundle. Resolves when the runner has confirmed them. */
  async save(): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const { cells, stateKeys } of this.entriesById.values()) {
      for (const [name, cell] of Object.entries(cells)) {
        writes.push(...cell.save(this.getClient(), stateKeys[name] as StateKey));
      }
    }
    await Promise.all(writes);
  }

  bundleEnded(succeeded: boolean): void {
    if (succeeded && this.cachePrefix !== undefined) {
      for (const [id, entry] of this.entriesById) {
        if (!entry.isCached) continue;
        entry.bundleEnded();
        cache.put(this.cachePrefix + id, entry);
      }
    }
    this.entriesById = new Map();
    this.client = undefined;
  }
}
