/** A value that knows its size in memory. */
export interface Weighted {
  /** Size in memory, bytes. */
  readonly weight: number;
}

/**
 * A cache with a memory budget that evicts the least recently used entries. An entry is *removed* when it is used and put
 * back after success, so that changes of a failed bundle are never seen.
 */
export class LruCache<V extends Weighted> {
  private readonly entries = new Map<string, { value: V; weight: number }>();
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
    this.entries.delete(key);
    this.total -= entry.weight;
    return entry.value;
  }

  /** Adds or replaces an entry, as the most recently used one. */
  put(key: string, value: V): void {
    const old = this.entries.get(key);
    if (old) {
      this.entries.delete(key);
      this.total -= old.weight;
    }
    const weight = value.weight;
    this.entries.set(key, { value, weight });
    this.total += weight;
    for (const [oldest, entry] of this.entries) {
      if (this.total <= this.budget) break;
      this.entries.delete(oldest);
      this.total -= entry.weight;
    }
  }
}
