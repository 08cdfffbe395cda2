/** Anything whose size in memory can be estimated. */
export interface Weighted {
  /** Bytes. */
  readonly weight: number;
}

/**
 * Keeps the least recently used entries out of memory beyond a budget. Entries are *taken out* to be used and put back
 * after success, so that what a failed bundle touched is never seen again.
 */
export class LruCache<V extends Weighted> {
  private readonly entries = new Map<string, { value: V; weight: number }>();
  private total = 0;
  hits = 0;
  misses = 0;

  /** @param budget bytes */
  constructor(private readonly budget: number) {}

  get size(): number {
    return this.entries.size;
  }
  get weight(): number {
    return this.total;
  }

  /** Removes and returns an entry. */
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
