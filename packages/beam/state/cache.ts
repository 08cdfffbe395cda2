/** A value that knows its size in memory. */
export interface Weighted {
  /** Size in memory, bytes. */
  readonly weight: number;
}

/** An entry in the list of entries, which is ordered by use. */
interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly weight: number;
  /** The entry that was used before; of the oldest one: undefined. */
  older: Entry<V> | undefined;
  newer: Entry<V> | undefined;
}

/**
 * A cache with a memory budget that evicts the least recently used entries. An entry is *removed* when it is used and put
 * back after success, so that changes of a failed bundle are never seen.
 *
 * The order is a list of its own. That of the map would do, but V8 keeps the places of removed entries until it rebuilds the map:
 * to find the first entry among hundreds of thousands that were removed costs more than everything else.
 */
export class LruCache<V extends Weighted> {
  private readonly entries = new Map<string, Entry<V>>();
  private oldest: Entry<V> | undefined;
  private newest: Entry<V> | undefined;
  private total = 0;
  hits = 0;
  misses = 0;

  /** @param budget upper bound of the total weight, bytes */
  constructor(private readonly budget: number) {}

  get size(): number {
    return this.entries.size;
  }
  get weight(): number {
    return this.total;
  }

  /** Removes and returns an entry; undefined when the cache does not have it. */
  take(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (!entry) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.remove(entry);
    return entry.value;
  }

  /** Adds or replaces an entry, as the most recently used one. */
  put(key: string, value: V): void {
    const old = this.entries.get(key);
    if (old) this.remove(old);
    const entry: Entry<V> = { key, value, weight: value.weight, older: this.newest, newer: undefined };
    this.entries.set(key, entry);
    this.total += entry.weight;
    if (this.newest) this.newest.newer = entry;
    else this.oldest = entry;
    this.newest = entry;
    while (this.oldest && this.total > this.budget) this.remove(this.oldest);
  }

  /** Removes an entry, if the cache has it. */
  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry) this.remove(entry);
  }

  private remove(entry: Entry<V>): void {
    this.entries.delete(entry.key);
    this.total -= entry.weight;
    if (entry.older) entry.older.newer = entry.newer;
    else this.oldest = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else this.newest = entry.older;
  }
}
