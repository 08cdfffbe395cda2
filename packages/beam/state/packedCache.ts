/** Records begin at multiples of this, so that a position of 32 bits reaches 32 GiB. */
const UNIT = 8;
/** Numbers of a slot of the index: 32 bits of the hash, and the position of the record. */
const SLOT = 2;
/** Slots of a group. An entry can only be in one group. */
const WAYS = 8;
const GROUP = SLOT * WAYS;
const BYTES_PER_NUMBER = 4;
/** The record of a typical session, with its header. */
const TYPICAL_RECORD = 64;
const FIRST_BYTES = 512 * 1024;
/** The header of a record: lengths of key and value. */
const HEADER = 4;
/** Longer keys and values have no place in the cache. */
const MAX_LENGTH = 0xffff;
/** Positions are counted from here, so that 0 means none. */
const FIRST_POSITION = 1;
/** Positions are 32 bits. */
const MAX_POSITION = 0xffffffff;

/**
 * A cache of small byte arrays with a memory budget, outside the heap of JavaScript: a million entries cost the garbage collector
 * nothing. An entry is *removed* when it is used and put back after success, so that changes of a failed bundle are never seen.
 *
 * The records are in a ring, in which the newest one overwrites the oldest ones. Because an entry that is used is put again, those
 * are the least recently used ones. An index of groups finds a record by the hash of its key, and then the key itself is
 * compared. A group that is full forgets its oldest record.
 */
export class PackedCache {
  private ring: Buffer;
  private index: Uint32Array;
  /** Positions, in units: of the next record, and of the oldest byte of the ring. They only increase. */
  private head = FIRST_POSITION;
  private tail = FIRST_POSITION;
  private entries = 0;
  /** Units of the entries; too many when entries were overwritten. */
  private used = 0;
  hits = 0;
  misses = 0;

  /**
   * @param maxBytes upper bound of the memory; at least 64 KiB. The cache begins with 768 KiB or less, and doubles
   * @param maxPosition where positions start again; more than twice those of the ring
   */
  constructor(
    private readonly maxBytes: number,
    private readonly maxPosition = MAX_POSITION,
  ) {
    const bytes = Math.min(FIRST_BYTES, PackedCache.ringBytes(maxBytes));
    this.ring = Buffer.alloc(bytes);
    this.index = new Uint32Array(PackedCache.indexLength(bytes));
  }

  /** The largest power of two for the ring, so that the index has room as well. */
  private static ringBytes(maxBytes: number): number {
    return 2 ** Math.floor(Math.log2((maxBytes * 2) / 3));
  }
  private static indexLength(ringBytes: number): number {
    return Math.max(GROUP, (ringBytes / TYPICAL_RECORD) * 2 * SLOT);
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.ring.length + this.index.length * BYTES_PER_NUMBER;
  }
  /** Number of entries; those that were overwritten may be included. */
  get size(): number {
    return this.entries;
  }

  /** Removes and returns an entry: a copy of its value; undefined when the cache does not have it. */
  take(key: string): Uint8Array | undefined {
    const at = this.find(key, hashOf(key));
    if (at === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    const { ring } = this;
    const start = this.offsetOf(this.index[at + 1] as number);
    const from = start + HEADER + ring.readUInt16LE(start);
    const value = new Uint8Array(ring.readUInt16LE(start + 2));
    for (let i = 0; i < value.length; i++) value[i] = ring[from + i] as number;
    this.remove(at);
    return value;
  }

  /**
   * Adds or replaces an entry.
   * @returns false when the entry has no place: it is too long, or its key has characters that are not in Latin-1
   */
  put(key: string, value: Uint8Array): boolean {
    this.delete(key);
    const length = HEADER + key.length + value.length;
    if (key.length > MAX_LENGTH || value.length > MAX_LENGTH) return false;
    const units = Math.ceil(length / UNIT);
    if (units * UNIT > this.ring.length / 4) return false;
    if ((this.head - this.tail + 2 * units) * UNIT > this.ring.length) this.makeRoom();
    if (this.head + this.ring.length / UNIT > this.maxPosition) this.rebuild(this.ring.length);
    let start = this.offsetOf(this.head);
    if (start + units * UNIT > this.ring.length) {
      // A record is in one piece.
      this.head += (this.ring.length - start) / UNIT;
      start = 0;
    }
    this.tail = Math.max(this.tail, this.head + units - this.ring.length / UNIT);
    if (!this.writeKey(start + HEADER, key)) return false;
    const { ring } = this;
    ring.writeUInt16LE(key.length, start);
    ring.writeUInt16LE(value.length, start + 2);
    const at = start + HEADER + key.length;
    for (let i = 0; i < value.length; i++) ring[at + i] = value[i] as number;
    this.enter(hashOf(key), this.head);
    this.used += units;
    this.head += units;
    return true;
  }

  /** Removes an entry, if the cache has it. */
  delete(key: string): void {
    const at = this.find(key, hashOf(key));
    if (at !== undefined) this.remove(at);
  }

  /** The slot of an entry; undefined when the cache does not have it. */
  private find(key: string, hash: number): number | undefined {
    const { index } = this;
    const group = this.groupOf(hash);
    for (let at = group; at < group + GROUP; at += SLOT) {
      if (index[at] !== hash) continue;
      const position = index[at + 1] as number;
      if (position >= this.tail && this.hasKey(this.offsetOf(position), key)) return at;
    }
    return undefined;
  }

  private enter(hash: number, position: number): void {
    const { index } = this;
    const group = this.groupOf(hash);
    let chosen = group;
    for (let at = group; at < group + GROUP; at += SLOT) {
      if ((index[at + 1] as number) < (index[chosen + 1] as number)) chosen = at;
    }
    if (index[chosen + 1] !== 0) this.remove(chosen);
    index[chosen] = hash;
    index[chosen + 1] = position;
    this.entries++;
  }

  private remove(at: number): void {
    const position = this.index[at + 1] as number;
    if (position >= this.tail) this.used -= this.unitsAt(this.offsetOf(position));
    this.index[at] = this.index[at + 1] = 0;
    this.entries--;
  }

  private unitsAt(start: number): number {
    return Math.ceil((HEADER + this.ring.readUInt16LE(start) + this.ring.readUInt16LE(start + 2)) / UNIT);
  }

  private groupOf(hash: number): number {
    return (hash & (this.index.length / GROUP - 1)) * GROUP;
  }
  private offsetOf(position: number): number {
    return ((position - FIRST_POSITION) * UNIT) & (this.ring.length - 1);
  }

  private hasKey(start: number, key: string): boolean {
    const { ring } = this;
    const { length } = key;
    if (ring.readUInt16LE(start) !== length) return false;
    for (let i = 0; i < length; i++) if (ring[start + HEADER + i] !== key.charCodeAt(i)) return false;
    return true;
  }
  private writeKey(at: number, key: string): boolean {
    const { ring } = this;
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      if (code > 0xff) return false;
      ring[at + i] = code;
    }
    return true;
  }

  /** The ring is full: removes the gaps of entries that were taken, or doubles the memory, or else the oldest entries go. */
  private makeRoom(): void {
    const { length } = this.ring;
    if (2 * this.used * UNIT <= length) this.rebuild(length);
    else if (2 * length <= PackedCache.ringBytes(this.maxBytes)) this.rebuild(2 * length);
  }

  private rebuild(ringBytes: number): void {
    const { ring, index, tail } = this;
    const positions: number[] = [];
    for (let at = 1; at < index.length; at += SLOT) {
      const position = index[at] as number;
      if (position >= tail) positions.push(position);
    }
    positions.sort((a, b) => a - b);
    const offsets = positions.map((position) => this.offsetOf(position));
    this.ring = Buffer.alloc(ringBytes);
    this.index = new Uint32Array(PackedCache.indexLength(ringBytes));
    this.entries = 0;
    this.used = 0;
    this.head = this.tail = FIRST_POSITION;
    for (const offset of offsets) {
      const end = offset + HEADER + ring.readUInt16LE(offset);
      const units = Math.ceil((end - offset + ring.readUInt16LE(offset + 2)) / UNIT);
      ring.copy(this.ring, (this.head - FIRST_POSITION) * UNIT, offset, offset + units * UNIT);
      this.enter(hashOf(ring.toString("latin1", offset + HEADER, end)), this.head);
      this.used += units;
      this.head += units;
    }
  }
}

/** FNV-1a, with its bits mixed. Not 0. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0 || 1;
}
