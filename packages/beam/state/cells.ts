import "../sdk";
import protobufjs from "protobufjs";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { Context, type Coder } from "apache-beam/coders/coders";
import type { StateClient } from "./stateChannel";

/** A cell of keyed state: one named state of one key, while it is in the worker. */
export interface Cell {
  /** Loads the stored bytes; called once, before the first use. A cell that is read on demand has {@link attach} instead. */
  load(bytes: Uint8Array): void;
  /**
   * Only of cells that are read on demand: called before the first use in each bundle.
   * @param read requests the stored bytes
   */
  attach?(read: () => Promise<Uint8Array>): void;
  /** Empties the state. */
  clear(): void;
  /** Sends the changes since the last save; returns the requests. */
  save(client: StateClient, key: StateKey): Promise<void>[];
  /** Size in memory, bytes. Read after each bundle, so it must not walk over the content. */
  readonly weight: number;
  /** Whether the cell is worth a place in the cache after its bundle. @default true */
  readonly isCached?: boolean;
  /**
   * Only of cells that may be kept as a few bytes between bundles: these bytes, after a save; undefined when the content is too
   * large for that.
   */
  pack?(): Uint8Array | undefined;
  /** Called in place of {@link load} with what {@link pack} has returned. */
  unpack?(packed: Uint8Array): void;
}

/** Declares one named state of a stateful DoFn. */
export interface StateDeclaration<C extends Cell> {
  /** Coder of the stored elements. */
  readonly coder: Coder<unknown>;
  readonly createCell: () => C;
}

/** The states of a DoFn by name. */
export type StateDeclarations = Readonly<Record<string, StateDeclaration<Cell>>>;
/** The cells that belong to a set of declarations. */
export type CellsOf<D> = { readonly [K in keyof D]: D[K] extends StateDeclaration<infer C> ? C : never };

export function encodeAll<T>(coder: Coder<T>, values: readonly T[]): Uint8Array {
  const writer = new protobufjs.Writer();
  for (const v of values) coder.encode(v, writer, Context.needsDelimiters);
  return writer.finish();
}

export function decodeAll<T>(coder: Coder<T>, bytes: Uint8Array): T[] {
  const out: T[] = [];
  const reader = new protobufjs.Reader(bytes);
  while (reader.pos < reader.len) out.push(coder.decode(reader, Context.needsDelimiters));
  return out;
}

/** Bytes of a cell without its content. */
export const CELL_OVERHEAD = 200;
/** Upper bound of the bytes in memory for each byte of the encoding of a value. */
export const BYTES_PER_ENCODED_BYTE = 4;
/** Bytes of an element of a bag besides its content: header and place in the array. */
export const ELEMENT_OVERHEAD = 48;

/** ValueState of the Beam model (ReadModifyWriteState): holds one value, or none. Reads and writes are in memory; the bundle saves the value at its end. */
export class ValueState<T> implements Cell {
  private value: T | undefined;
  private stored = false;
  private changed = false;
  weight = CELL_OVERHEAD;

  /** @param join the value of several stored ones; default: the last */
  constructor(
    private readonly coder: Coder<T>,
    private readonly join: (stored: T[]) => T | undefined = (stored) => stored.at(-1),
  ) {}

  read(): T | undefined {
    return this.value;
  }
  write(value: T): void {
    this.value = value;
    this.changed = true;
  }
  clear(): void {
    this.value = undefined;
    this.changed = true;
  }
  load(bytes: Uint8Array): void {
    this.value = this.join(decodeAll(this.coder, bytes));
    this.stored = bytes.length > 0;
    this.weight = CELL_OVERHEAD + BYTES_PER_ENCODED_BYTE * bytes.length;
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    if (!this.changed) return [];
    this.changed = false;
    const requests: Promise<void>[] = [];
    // Saves a request when nothing is stored.
    if (this.stored) requests.push(client.clear(key));
    this.stored = this.value !== undefined;
    this.weight = CELL_OVERHEAD;
    if (this.value !== undefined) {
      const bytes = encodeAll(this.coder, [this.value]);
      this.weight += BYTES_PER_ENCODED_BYTE * bytes.length;
      requests.push(client.append(key, bytes));
    }
    return requests;
  }
}

/** BagState of the Beam model: elements in no particular order that are added one by one and cleared together. */
export class BagState<T> implements Cell {
  private values: T[] = [];
  private added: T[] = [];
  private stored = false;
  private cleared = false;
  /** Bytes of the encoded elements, without those that were added since the last save. */
  private encodedBytes = 0;

  constructor(private readonly coder: Coder<T>) {}

  read(): readonly T[] {
    return this.values;
  }
  add(value: T): void {
    this.values.push(value);
    this.added.push(value);
  }
  clear(): void {
    this.values = [];
    this.added = [];
    this.encodedBytes = 0;
    this.cleared = true;
  }
  get weight(): number {
    return CELL_OVERHEAD + ELEMENT_OVERHEAD * this.values.length + BYTES_PER_ENCODED_BYTE * this.encodedBytes;
  }
  load(bytes: Uint8Array): void {
    this.values = decodeAll(this.coder, bytes);
    this.stored = bytes.length > 0;
    this.encodedBytes = bytes.length;
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    const requests: Promise<void>[] = [];
    if (this.cleared && this.stored) requests.push(client.clear(key));
    if (this.cleared) this.stored = false;
    this.cleared = false;
    if (this.added.length) {
      const bytes = encodeAll(this.coder, this.added);
      this.added = [];
      this.stored = true;
      this.encodedBytes += bytes.length;
      requests.push(client.append(key, bytes));
    }
    return requests;
  }
}

/** A bag that is read on demand. Elements are added without reading it. */
export class LazyBagState<T> implements Cell {
  /** The elements that the runner has; undefined until they are read. */
  private stored: T[] | undefined;
  private added: T[] = [];
  private cleared = false;
  private encodedBytes = 0;
  private request: (() => Promise<Uint8Array>) | undefined;

  constructor(private readonly coder: Coder<T>) {}

  /** All elements. The first call for a key reads them from the runner; rejects when the state stream breaks. */
  async read(): Promise<readonly T[]> {
    if (!this.stored) {
      if (!this.request) throw new Error("A state can be read only while a bundle is processed");
      const bytes = await this.request();
      if (!this.stored) {
        this.stored = decodeAll(this.coder, bytes);
        this.encodedBytes = bytes.length;
      }
    }
    return [...this.stored, ...this.added];
  }
  add(value: T): void {
    this.added.push(value);
  }
  clear(): void {
    this.stored = [];
    this.added = [];
    this.encodedBytes = 0;
    this.cleared = true;
  }
  get weight(): number {
    const elements = (this.stored?.length ?? 0) + this.added.length;
    return CELL_OVERHEAD + ELEMENT_OVERHEAD * elements + BYTES_PER_ENCODED_BYTE * this.encodedBytes;
  }
  load(): void {
    throw new Error("This state is read on demand");
  }
  attach(read: () => Promise<Uint8Array>): void {
    this.request = read;
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    const requests: Promise<void>[] = [];
    if (this.cleared) requests.push(client.clear(key));
    this.cleared = false;
    if (this.added.length) {
      const bytes = encodeAll(this.coder, this.added);
      requests.push(client.append(key, bytes));
      if (this.stored) {
        this.stored.push(...this.added);
        this.encodedBytes += bytes.length;
      }
      this.added = [];
    }
    this.request = undefined;
    return requests;
  }
}

/** A state with more entries stays in memory as it is between bundles, because packing it costs too much. */
const MAX_PACKED_SIZE = 16;

/**
 * Folds a log of changes into a state in memory.
 *
 * @typeParam S the folded state; mutable
 * @typeParam R a change. The effect of folding must be idempotent, commutative and associative: the stored bag has no order
 */
export interface Fold<S, R> {
  /** Coder of the changes. */
  readonly coder: Coder<R>;
  /** Creates an empty state. */
  create(): S;
  /** Applies a change from the log to the state. */
  fold(state: S, record: R): void;
  /** The smallest list of changes that folds to this state. */
  snapshot(state: S): R[];
  /** Upper bound of the number of entries of the state in a change. */
  entries(record: R): number;
  /** Number of entries of the state. */
  size(state: S): number;
  /** Bytes of the state in memory. Called after each bundle, so it must not walk over the entries (see `WeighedMap`). */
  weight(state: S): number;
  /** False: the next bundle with the key reads the state again. For small states of keys that rarely return soon. @default true */
  readonly isCached?: boolean;
}

/**
 * A large state under one key whose changes are idempotent: stored as a log of changes. Reading folds the log once, a change is one append, and the log is replaced by
 * a snapshot when it has more than twice as many entries as the state. A large state (thousands of entries under one key)
 * therefore costs one small request for each bundle that changes it.
 */
export class FoldedState<S, R> implements Cell {
  private current: S;
  private pending: R[] = [];
  private logged = 0;
  private stored = false;
  private cleared = false;

  constructor(private readonly spec: Fold<S, R>) {
    this.current = spec.create();
  }

  /** The folded state. It is another object after {@link clear}. */
  get state(): S {
    return this.current;
  }

  /** Records a change that you have already applied to {@link state}. */
  log(record: R): void {
    this.pending.push(record);
  }
  clear(): void {
    this.current = this.spec.create();
    this.pending = [];
    this.logged = 0;
    this.cleared = true;
  }
  get weight(): number {
    return CELL_OVERHEAD + this.spec.weight(this.state);
  }
  get isCached(): boolean {
    return this.spec.isCached ?? true;
  }
  load(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const { spec } = this;
    const reader = new protobufjs.Reader(bytes);
    while (reader.pos < reader.len) {
      const record = spec.coder.decode(reader, Context.needsDelimiters);
      this.logged += spec.entries(record);
      spec.fold(this.state, record);
    }
    this.stored = true;
  }
  /** The length of the log, and a snapshot. */
  pack(): Uint8Array | undefined {
    const { spec } = this;
    if (spec.size(this.state) > MAX_PACKED_SIZE || this.pending.length) return undefined;
    const writer = new protobufjs.Writer().uint32(this.stored ? this.logged : 0).bool(this.stored);
    for (const record of spec.snapshot(this.state)) spec.coder.encode(record, writer, Context.needsDelimiters);
    return writer.finish();
  }
  unpack(packed: Uint8Array): void {
    const { spec } = this;
    const reader = new protobufjs.Reader(packed);
    this.logged = reader.uint32();
    this.stored = reader.bool();
    while (reader.pos < reader.len) spec.fold(this.state, spec.coder.decode(reader, Context.needsDelimiters));
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    const { spec, pending } = this;
    const requests: Promise<void>[] = [];
    if (this.cleared && this.stored) {
      requests.push(client.clear(key));
      this.stored = false;
    }
    this.cleared = false;
    if (!pending.length) return requests;
    this.pending = [];
    for (const record of pending) this.logged += spec.entries(record);
    if (this.logged <= 2 * spec.size(this.state) + 64) {
      this.stored = true;
      requests.push(client.append(key, encodeAll(spec.coder, pending)));
      return requests;
    }
    if (this.stored) requests.push(client.clear(key));
    this.stored = true;
    this.logged = spec.size(this.state);
    requests.push(client.append(key, encodeAll(spec.coder, spec.snapshot(this.state))));
    return requests;
  }
}

/** Declares a state with one value. */
export function valueState<T>(coder: Coder<T>): StateDeclaration<ValueState<T>> {
  return { coder, createCell: () => new ValueState(coder) };
}

/** How a state is read. */
export interface LazyRead {
  /**
   * `lazy`: only when the DoFn reads it, so that bundles that only add need no read, and `read()` returns a promise.
   * Otherwise all states of a key are read together before its first element.
   */
  readonly read: "lazy";
}

/** Declares a state with a bag of elements. */
export function bagState<T>(coder: Coder<T>): StateDeclaration<BagState<T>>;
export function bagState<T>(coder: Coder<T>, options: LazyRead): StateDeclaration<LazyBagState<T>>;
export function bagState<T>(coder: Coder<T>, options?: LazyRead): StateDeclaration<BagState<T> | LazyBagState<T>> {
  return { coder, createCell: () => (options ? new LazyBagState(coder) : new BagState(coder)) };
}

/** Declares a state that is stored as a log of changes and folded in memory. */
export function foldedState<S, R>(spec: Fold<S, R>): StateDeclaration<FoldedState<S, R>> {
  return { coder: spec.coder, createCell: () => new FoldedState(spec) };
}
