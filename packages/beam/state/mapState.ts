import "../sdk";
import protobufjs, { type Reader, type Writer } from "protobufjs";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { Context, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { BytesCoder } from "apache-beam/coders/required_coders";
import { VarIntCoder } from "apache-beam/coders/standard_coders";
import {
  BYTES_PER_ENCODED_BYTE,
  CELL_OVERHEAD,
  decodeAll,
  ELEMENT_OVERHEAD,
  encodeAll,
  type Cell,
  type StateDeclaration,
} from "./cells";
import type { StateClient } from "./stateChannel";

/** A change of an entry. Of two changes of one key the one with the higher number is newer: a stored bag has no order. */
interface Change<K, V> {
  readonly number: number;
  readonly key: K;
  /** Absent: the entry was deleted. */
  readonly entry?: { readonly value: V };
}

const bytesCoder = new BytesCoder();
const numberCoder = new VarIntCoder();

/** Changes as byte arrays, so that a runner can store them without knowing the coders of keys and values. */
class ChangeCoder<K, V> implements Coder<Change<K, V>> {
  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly valueCoder: Coder<V>,
  ) {}
  encode({ number, key, entry }: Change<K, V>, writer: Writer, context: Context): void {
    const inner = new protobufjs.Writer();
    numberCoder.encode(number, inner);
    this.keyCoder.encode(key, inner, Context.needsDelimiters);
    inner.bool(entry !== undefined);
    if (entry) this.valueCoder.encode(entry.value, inner, Context.needsDelimiters);
    bytesCoder.encode(inner.finish(), writer, context);
  }
  decode(reader: Reader, context: Context): Change<K, V> {
    const inner = new protobufjs.Reader(bytesCoder.decode(reader, context));
    const number = numberCoder.decode(inner);
    const key = this.keyCoder.decode(inner, Context.needsDelimiters);
    if (!inner.bool()) return { number, key };
    return { number, key, entry: { value: this.valueCoder.decode(inner, Context.needsDelimiters) } };
  }
  toProto(context: ProtoContext): runnerApi.Coder {
    return bytesCoder.toProto(context);
  }
}

/** Changes that are logged before the log is replaced by the entries, besides one for each entry. */
const MIN_CHANGES = 32;

/**
 * MapState of the Beam model: values by key. It is stored as a log of changes in a bag, which every runner has: a change is
 * one append, and the log is compacted when it is more than twice as long as the map. The whole map is in memory.
 */
export class MapState<K, V> implements Cell {
  /** By the text or the encoding of the key. */
  private entriesById = new Map<string, Change<K, V> & { readonly entry: { readonly value: V } }>();
  private pending = new Map<string, Change<K, V>>();
  private nextNumber = 1;
  private logged = 0;
  private stored = false;
  private cleared = false;
  private encodedBytes = 0;

  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly coder: Coder<Change<K, V>>,
  ) {}

  private idOf(key: K): string {
    return typeof key === "string" ? key : Buffer.from(encodeAll(this.keyCoder, [key])).toString("latin1");
  }
  get(key: K): V | undefined {
    return this.entriesById.get(this.idOf(key))?.entry.value;
  }
  has(key: K): boolean {
    return this.entriesById.has(this.idOf(key));
  }
  set(key: K, value: V): void {
    const id = this.idOf(key);
    const change = { number: this.nextNumber++, key, entry: { value } };
    this.entriesById.set(id, change);
    this.pending.set(id, change);
  }
  /** Removes the entry of a key; returns whether there was one. */
  delete(key: K): boolean {
    const id = this.idOf(key);
    if (!this.entriesById.delete(id)) return false;
    this.pending.set(id, { number: this.nextNumber++, key });
    return true;
  }
  get size(): number {
    return this.entriesById.size;
  }
  *entries(): IterableIterator<[K, V]> {
    for (const { key, entry } of this.entriesById.values()) yield [key, entry.value];
  }
  *keys(): IterableIterator<K> {
    for (const { key } of this.entriesById.values()) yield key;
  }
  *values(): IterableIterator<V> {
    for (const { entry } of this.entriesById.values()) yield entry.value;
  }
  clear(): void {
    this.entriesById = new Map();
    this.pending = new Map();
    this.logged = 0;
    this.encodedBytes = 0;
    this.cleared = true;
  }
  get weight(): number {
    return CELL_OVERHEAD + 4 * ELEMENT_OVERHEAD * this.entriesById.size + BYTES_PER_ENCODED_BYTE * this.encodedBytes;
  }
  load(bytes: Uint8Array): void {
    const newest = new Map<string, Change<K, V>>();
    for (const change of decodeAll(this.coder, bytes)) {
      const id = this.idOf(change.key);
      if (change.number >= (newest.get(id)?.number ?? 0)) newest.set(id, change);
      this.nextNumber = Math.max(this.nextNumber, change.number + 1);
      this.logged++;
    }
    for (const [id, { number, key, entry }] of newest) if (entry) this.entriesById.set(id, { number, key, entry });
    this.stored = bytes.length > 0;
    this.encodedBytes = bytes.length;
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    const requests: Promise<void>[] = [];
    const changes = [...this.pending.values()];
    this.pending = new Map();
    this.logged += changes.length;
    const compacts = changes.length > 0 && this.logged > 2 * this.entriesById.size + MIN_CHANGES;
    if (this.stored && (this.cleared || compacts)) {
      requests.push(client.clear(key));
      this.stored = false;
    }
    this.cleared = false;
    if (compacts) {
      this.logged = this.entriesById.size;
      this.encodedBytes = 0;
    }
    const records = compacts ? [...this.entriesById.values()] : changes;
    if (records.length) {
      const bytes = encodeAll(this.coder, records);
      requests.push(client.append(key, bytes));
      this.stored = true;
      this.encodedBytes += bytes.length;
    }
    return requests;
  }
}

/** SetState of the Beam model: distinct elements. Stored as a {@link MapState} is. */
export class SetState<T> implements Cell {
  constructor(private readonly map: MapState<T, true>) {}
  /** Adds an element; returns whether it is new. */
  add(value: T): boolean {
    if (this.map.has(value)) return false;
    this.map.set(value, true);
    return true;
  }
  has(value: T): boolean {
    return this.map.has(value);
  }
  /** Removes an element; returns whether it was there. */
  delete(value: T): boolean {
    return this.map.delete(value);
  }
  get size(): number {
    return this.map.size;
  }
  values(): IterableIterator<T> {
    return this.map.keys();
  }
  clear(): void {
    this.map.clear();
  }
  get weight(): number {
    return this.map.weight;
  }
  load(bytes: Uint8Array): void {
    this.map.load(bytes);
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    return this.map.save(client, key);
  }
}

const presentCoder: Coder<true> = {
  encode: () => {},
  decode: () => true,
  toProto: (context) => bytesCoder.toProto(context),
};

/** Declares a state with values by key. The coder of the keys must be deterministic. */
export function mapState<K, V>(keyCoder: Coder<K>, valueCoder: Coder<V>): StateDeclaration<MapState<K, V>> {
  const coder = new ChangeCoder(keyCoder, valueCoder);
  return { coder, createCell: () => new MapState(keyCoder, coder) };
}

/** Declares a state with distinct elements. Their coder must be deterministic. */
export function setState<T>(elementCoder: Coder<T>): StateDeclaration<SetState<T>> {
  const coder = new ChangeCoder(elementCoder, presentCoder);
  return { coder, createCell: () => new SetState(new MapState(elementCoder, coder)) };
}
