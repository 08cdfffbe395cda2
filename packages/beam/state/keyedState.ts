/** The states of a step in a worker: reads them for the keys of a bundle, saves them, and caches them between bundles. */
import "../sdk";
import { getHeapStatistics } from "node:v8";
import protobufjs from "protobufjs";
import { Context, type Coder } from "apache-beam/coders/coders";
import { LengthPrefixedCoder } from "apache-beam/coders/required_coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import { GlobalWindow, type Instant, type PaneInfo, type Window } from "apache-beam/values";
import type { OperatorContext } from "apache-beam/worker/operators";
import { userStateCacheToken } from "../patches/control";
import { LruCache } from "./cache";
import type { Cell, StateDeclaration, StateDeclarations } from "./cells";
import { PackedCache } from "./packedCache";
import { stateMessages } from "./stateBatches";
import { StateClient } from "./stateChannel";
import { UserStateKey, type UserStates } from "./userStateKey";
import { textWeight } from "./weighedMap";

const MIB = 1024 * 1024;
const MAX_DEFAULT_CACHE_MIB = 512;
const CACHE_BUDGET_BYTES =
  Number(process.env["BEAM_STATE_CACHE_MIB"] ?? defaultCacheMib(getHeapStatistics().heap_size_limit)) * MIB;
const MIN_PACKED_BYTES = 64 * 1024;
/** The part of the budget for small states, which are packed. */
const PACKED_SHARE = 3 / 8;

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
  /** Set until the cells are loaded. Shared with other entries. */
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

  /**
   * @param keyText see `KeyedStates.textOf`
   * @param keyBytes the encoded key
   * @param states what the cells are states of, in the order of the cells
   */
  constructor(
    readonly key: unknown,
    private readonly keyText: string,
    private readonly keyBytes: Uint8Array,
    readonly window: Window,
    readonly cells: Readonly<Record<string, Cell>>,
    readonly states: readonly UserStates[],
  ) {}

  stateKey(states: UserStates): UserStateKey {
    return new UserStateKey(states, this.keyBytes);
  }

  /** Sends the changes of the bundle. */
  save(client: StateClient, requests: Set<Promise<void>>): void {
    for (const states of this.states) {
      const cell = this.cells[states.userStateId] as Cell;
      for (const request of cell.save(client, this.stateKey(states))) requests.add(request);
    }
  }

  /** The states as bytes; undefined when they must stay as they are. */
  pack(): Uint8Array | undefined {
    if (this.expiresAtMs !== undefined) return undefined;
    const parts: Uint8Array[] = [];
    for (const { userStateId } of this.states) {
      const packed = this.cells[userStateId]?.pack?.();
      if (!packed) return undefined;
      parts.push(packed);
    }
    if (parts.length === 1) return parts[0];
    const writer = new protobufjs.Writer();
    for (const part of parts) writer.bytes(part);
    return writer.finish();
  }

  unpack(packed: Uint8Array): void {
    const [only] = this.states;
    if (this.states.length === 1 && only) {
      this.cells[only.userStateId]?.unpack?.(packed);
      return;
    }
    const reader = new protobufjs.Reader(packed);
    for (const { userStateId } of this.states) this.cells[userStateId]?.unpack?.(reader.bytes());
  }

  get weight(): number {
    // The key is in memory three times: as a value, encoded, and in the key of the cache.
    let sum = ENTRY_OVERHEAD + 3 * textWeight(this.keyText);
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

const cache = new LruCache<Entry>(CACHE_BUDGET_BYTES * (1 - PACKED_SHARE));
/** The states that are small. */
const packedCache = new PackedCache(Math.max(MIN_PACKED_BYTES, CACHE_BUDGET_BYTES * PACKED_SHARE));

/** Numbers of the steps, each with the token of its cache, in place of these in the keys of the caches. */
const stepNumbers = new Map<string, number>();

/** Counters of this process: state requests, and messages that contained them; entries, MiB, hits and misses of the cache. */
export function stateStats(): Readonly<
  Record<"requests" | "messages" | "cached" | "cachedMiB" | "hits" | "misses", number>
> {
  return {
    requests: StateClient.requests,
    messages: stateMessages(),
    cached: cache.size + packedCache.size,
    cachedMiB: Math.round((cache.weight + packedCache.bytes) / MIB),
    hits: cache.hits + packedCache.hits,
    misses: packedCache.misses,
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

const NO_BYTES = new Uint8Array();
const MAX_ONE_BYTE_LENGTH = 0x7f;

/** The nested encoding of a text with few characters, all of them ASCII: its length and the characters. Undefined for others. */
export function encodeShortText(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length > MAX_ONE_BYTE_LENGTH) return undefined;
  const bytes = new Uint8Array(1 + length);
  bytes[0] = length;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return undefined;
    bytes[i + 1] = code;
  }
  return bytes;
}

/** The states of one step, while it processes bundles. */
export class KeyedStates {
  /** The entries of this bundle, by window and key. */
  private entriesById = new Map<string, Entry>();
  private client: StateClient | undefined;
  private cachePrefix: string | undefined;
  private readonly hasTextKeys: boolean;
  /** The states of the global window, and of the window that was used last. */
  private readonly ofGlobalWindow: readonly UserStates[];
  private ofLastWindow: readonly UserStates[] = [];

  constructor(
    private readonly transformId: string,
    private readonly context: OperatorContext,
    private readonly declarations: StateDeclarations,
    private readonly keyCoder: Coder<unknown>,
    private readonly windowCoder: Coder<Window>,
  ) {
    this.hasTextKeys = isTextCoder(keyCoder);
    this.ofGlobalWindow = this.statesOf(NO_BYTES);
  }

  private statesOf(window: Uint8Array): readonly UserStates[] {
    const { transformId } = this;
    return Object.keys(this.declarations).map((userStateId) => ({ transformId, userStateId, window }));
  }

  private statesOfWindow(window: Window): { readonly id: string; readonly states: readonly UserStates[] } {
    if (window instanceof GlobalWindow) return { id: "", states: this.ofGlobalWindow };
    const bytes = Buffer.from(encodeNested(this.windowCoder, window));
    const last = this.ofLastWindow[0]?.window;
    if (!last || !bytes.equals(last)) this.ofLastWindow = this.statesOf(bytes);
    return { id: `${bytes.toString("base64")}|`, states: this.ofLastWindow };
  }

  startBundle(): void {
    this.entriesById = new Map();
    this.client = undefined;
    const token = userStateCacheToken(this.context);
    this.cachePrefix = undefined;
    if (token === undefined) return;
    const step = `${token}|${this.transformId}`;
    const number = stepNumbers.get(step) ?? stepNumbers.size;
    stepNumbers.set(step, number);
    this.cachePrefix = `${number.toString(36)}|`;
  }

  /** The entries of the keys and windows that the bundle has so far. */
  entries(): IterableIterator<Entry> {
    return this.entriesById.values();
  }

  /** The entry of a key and window. Its cells are being loaded while `loading` is set. */
  entryOf(window: Window, key: unknown): Entry {
    const { id: windowId, states } = this.statesOfWindow(window);
    const knownBytes = this.hasTextKeys ? undefined : encodeNested(this.keyCoder, key);
    const keyText = knownBytes ? Buffer.from(knownBytes).toString("latin1") : (key as string);
    const id = windowId + keyText;
    const known = this.entriesById.get(id);
    if (known) return known;
    const cacheKey = this.cachePrefix === undefined ? undefined : this.cachePrefix + id;
    const cached = cacheKey === undefined ? undefined : cache.take(cacheKey);
    const entry = cached ?? this.newEntry(window, states, key, keyText, knownBytes);
    if (!cached) this.fill(entry, cacheKey === undefined ? undefined : packedCache.take(cacheKey));
    for (const one of states) {
      entry.cells[one.userStateId]?.attach?.(() => this.getClient().get(entry.stateKey(one)));
    }
    this.entriesById.set(id, entry);
    return entry;
  }

  private newEntry(
    window: Window,
    states: readonly UserStates[],
    key: unknown,
    keyText: string,
    knownBytes: Uint8Array | undefined,
  ): Entry {
    const short = this.hasTextKeys ? encodeShortText(keyText) : undefined;
    const keyBytes = knownBytes ?? short ?? encodeNested(this.keyCoder, key);
    const cells: Record<string, Cell> = {};
    for (const { userStateId } of states) {
      cells[userStateId] = (this.declarations[userStateId] as StateDeclaration<Cell>).createCell();
    }
    return new Entry(key, keyText, keyBytes, window, cells, states);
  }

  /** Gives a new entry its states: those of the cache, or else the runner's. */
  private fill(entry: Entry, packed: Uint8Array | undefined): void {
    if (packed) {
      entry.unpack(packed);
      return;
    }
    let unloaded = 0;
    const loads = new Set<Promise<void>>();
    for (const states of entry.states) {
      const cell = entry.cells[states.userStateId] as Cell;
      if (cell.attach) continue; // read on demand
      unloaded++;
      const load = (bytes: Uint8Array): void => {
        cell.load(bytes);
        if (--unloaded === 0) entry.loading = undefined;
      };
      loads.add(this.getClient().load(entry.stateKey(states), load));
    }
    if (loads.size === 0) return;
    const [first] = loads;
    entry.loading = loads.size === 1 ? first : Promise.all(loads);
    entry.loading?.catch(() => {}); // who awaits it reports it
  }

  private getClient(): StateClient {
    return (this.client ??= StateClient.forBundle(this.context));
  }

  /** Sends the changes of the bundle. Resolves when the runner has confirmed them. */
  async save(): Promise<void> {
    const requests = new Set<Promise<void>>();
    for (const entry of this.entriesById.values()) entry.save(this.getClient(), requests);
    await Promise.all(requests);
  }

  bundleEnded(succeeded: boolean): void {
    if (succeeded && this.cachePrefix !== undefined) {
      for (const [id, entry] of this.entriesById) if (entry.isCached) this.keep(this.cachePrefix + id, entry);
    }
    this.entriesById = new Map();
    this.client = undefined;
  }

  private keep(cacheKey: string, entry: Entry): void {
    entry.bundleEnded();
    const packed = entry.pack();
    if (packed && packedCache.put(cacheKey, packed)) {
      cache.delete(cacheKey);
    } else {
      packedCache.delete(cacheKey);
      cache.put(cacheKey, entry);
    }
  }
}
