/**
 * Sizes in the heap of V8 without pointer compression, as Node is built. Measured on Node 20 to 24; the cache's test compares
 * them with the heap.
 */
const WORD = 8;
const STRING_HEADER = 16;
const MAP_OBJECT = 72;
/** A map's table has room for a power of two of entries: key, value and chain for each, and a bucket for every second one. */
const TABLE_BYTES_PER_ENTRY = 28;
const MIN_TABLE_ENTRIES = 4;

const roundUp = (bytes: number): number => Math.ceil(bytes / WORD) * WORD;

/** Bytes of a string in memory: one for each character, or two when any character is not in Latin-1. */
export function textWeight(text: string): number {
  let width = 1;
  for (let i = 0; i < text.length && width === 1; i++) if (text.charCodeAt(i) > 0xff) width = 2;
  return STRING_HEADER + roundUp(text.length * width);
}

/** Bytes of a Map with this number of entries, without its keys and values. */
export function mapWeight(size: number): number {
  const room = Math.max(MIN_TABLE_ENTRIES, 2 ** Math.ceil(Math.log2(Math.max(1, size))));
  return MAP_OBJECT + room * TABLE_BYTES_PER_ENTRY;
}

/** A Map with text keys that knows its size in memory. The cost of {@link weight} does not depend on the number of entries. */
export class WeighedMap<V extends string | number | object> extends Map<string, V> {
  private contentWeight = 0;

  /** @param valueWeight bytes of a value in memory, 0 for a small integer. Values must not change while they are in the map */
  constructor(private readonly valueWeight: (value: V) => number) {
    super();
  }

  /** Bytes of the map, its keys and its values in memory. */
  get weight(): number {
    return mapWeight(this.size) + this.contentWeight;
  }

  override set(key: string, value: V): this {
    const known = this.get(key);
    this.contentWeight += this.valueWeight(value) - (known === undefined ? -textWeight(key) : this.valueWeight(known));
    return super.set(key, value);
  }

  override delete(key: string): boolean {
    const known = this.get(key);
    if (known !== undefined) this.contentWeight -= textWeight(key) + this.valueWeight(known);
    return super.delete(key);
  }

  override clear(): void {
    this.contentWeight = 0;
    super.clear();
  }
}
