/**
 * The record of accepted events: hashes of their ids, by the day of the event. It is kept apart from the raw events, so that a
 * raw event that is lost is noticed. The record is a set, so that redelivered and repeated events change nothing.
 */
import { hash as cryptoHash } from "node:crypto";

/** Bytes of a hash. A JavaScript number holds it exactly. */
export const HASH_BYTES = 6;
/** Hexadecimal digits of a hash. */
export const HASH_DIGITS = 2 * HASH_BYTES;
/** Shards of the hashes of a day: one for each first hexadecimal digit. */
export const SHARDS_PER_DAY = 16;
/** Hashes that are kept of each shard: the smallest ones, which are a random sample of the events. */
export const SAMPLE_SIZE = 8192;

/** Hashes of accepted events of one day. */
export interface AcceptedHashes {
  /** Epoch day (day.ts). */
  readonly day: number;
  readonly hashes: readonly number[];
}

/** Hashes that the record gains, as they are written. */
export interface AcceptedIds extends AcceptedHashes {
  /** When they were added to the record; epoch milliseconds. */
  readonly recordedAt: number;
}

/**
 * The hash of an event id: the first 48 bits of SHA-256 of its UTF-8 bytes. In BigQuery:
 * `SUBSTR(TO_HEX(SHA256(event_id)), 1, 12)`.
 */
export function eventIdHash(eventId: string): number {
  // Each character is a byte. Creating a Hash object, or a Buffer, would take several times as long.
  const bytes = cryptoHash("sha256", eventId, "binary");
  let hash = 0;
  for (let i = 0; i < HASH_BYTES; i++) hash = hash * 256 + bytes.charCodeAt(i);
  return hash;
}

/** The hexadecimal digits of a hash, in lower case. */
export function hashToHex(hash: number): string {
  return hash.toString(16).padStart(HASH_DIGITS, "0");
}

/** The shard of a hash: its first hexadecimal digit. */
export function shardOfHash(hash: number): number {
  return Math.floor(hash / 2 ** (8 * HASH_BYTES - 4));
}

/** Sorts hashes, removes duplicates and keeps the smallest {@link SAMPLE_SIZE}. */
export function smallestHashes(hashes: readonly number[]): Float64Array {
  const sorted = Float64Array.from(hashes).sort();
  let size = 0;
  for (const hash of sorted) {
    if (size > 0 && sorted[size - 1] === hash) continue;
    if (size === SAMPLE_SIZE) break;
    sorted[size++] = hash;
  }
  return sorted.slice(0, size);
}

/**
 * The smallest hashes of the accepted events of one shard, of the newest day that was added. A union of sets that keeps the
 * smallest elements is idempotent, commutative and associative; so is the choice of the newest day.
 */
export class AcceptedSample {
  private newestDay: number | undefined;
  /** Sorted, without duplicates, at most {@link SAMPLE_SIZE}. */
  private kept: Float64Array = new Float64Array();

  get size(): number {
    return this.kept.length;
  }

  /** The day of the sample; undefined before the first addition. */
  get day(): number | undefined {
    return this.newestDay;
  }

  /** A copy of what the sample contains; undefined before the first addition. */
  get content(): AcceptedHashes | undefined {
    return this.newestDay === undefined ? undefined : { day: this.newestDay, hashes: [...this.kept] };
  }

  /**
   * Adds hashes of accepted events.
   * @returns those that belong to the record and may be new to it. For a day before the newest one these are all: the sample
   *   does not remember that day.
   */
  add({ day, hashes }: AcceptedHashes): readonly number[] {
    if (hashes.length === 0) return [];
    if (this.newestDay !== undefined && day < this.newestDay) return hashes;
    if (day !== this.newestDay) this.kept = new Float64Array();
    this.newestDay = day;
    const { kept } = this;
    const isFull = kept.length === SAMPLE_SIZE;
    const limit = isFull ? (kept[SAMPLE_SIZE - 1] as number) : Infinity;
    const candidates = smallestHashes(hashes.filter((hash) => hash < limit));
    const entered = candidates.filter((hash) => !includes(kept, hash));
    if (entered.length === 0) return [];
    this.kept = mergeSmallest(kept, entered);
    const largest = this.kept.at(-1) as number;
    return [...entered].filter((hash) => hash <= largest);
  }
}

/** Whether a sorted list includes a hash. */
function includes(sorted: Float64Array, hash: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < hash) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === hash;
}

/** The smallest {@link SAMPLE_SIZE} hashes of two sorted lists without common elements. */
function mergeSmallest(a: Float64Array, b: Float64Array): Float64Array {
  const merged = new Float64Array(Math.min(a.length + b.length, SAMPLE_SIZE));
  let i = 0;
  let k = 0;
  for (let n = 0; n < merged.length; n++) {
    const fromA = k >= b.length || (i < a.length && (a[i] as number) < (b[k] as number));
    merged[n] = (fromA ? a[i++] : b[k++]) as number;
  }
  return merged;
}
