/** Words of 32 bits in an element. */
const WORDS = 4;
/** Elements in a group. An element can only be in one group; the group forgets the element that was used least recently. */
const WAYS = 8;
const GROUP_WORDS = WORDS * WAYS;
const GROUP_BYTES = GROUP_WORDS * Uint32Array.BYTES_PER_ELEMENT;
const FIRST_GROUPS = 1024;
/** The set grows when this share of its room is in use: beyond, groups fill up. */
const MAX_LOAD = 0.5;

/**
 * A set of numbers of 128 bits with a memory budget, which forgets those that were not used recently. It never contains a number that
 * was not added. Its memory is outside the heap of JavaScript, so that millions of elements cost the garbage collector nothing.
 *
 * The first word of an element selects its group, so elements must be hashes.
 */
export class RecentSet {
  private groups: Uint32Array;
  private size = 0;

  /** @param maxBytes upper bound of the memory; a power of two. The set begins with at most 128 KiB and doubles */
  constructor(private readonly maxBytes: number) {
    this.groups = new Uint32Array(Math.min(FIRST_GROUPS * GROUP_BYTES, maxBytes) / Uint32Array.BYTES_PER_ELEMENT);
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.groups.byteLength;
  }

  /** Whether the set contains an element, which then counts as just used. */
  has(a: number, b: number, c: number, d: number): boolean {
    const { groups } = this;
    const start = this.startOf(a);
    for (let at = start; at < start + GROUP_WORDS; at += WORDS) {
      if (groups[at] !== a || groups[at + 1] !== b || groups[at + 2] !== c || groups[at + 3] !== d) continue;
      if (at > start) {
        groups.copyWithin(start + WORDS, start, at);
        this.write(start, a, b, c, d);
      }
      return true;
    }
    return false;
  }

  /** Adds an element as the most recently used one. It must not be in the set. The element 0, 0, 0, 0 is ignored. */
  add(a: number, b: number, c: number, d: number): void {
    if (this.size >= MAX_LOAD * (this.groups.length / WORDS) && 2 * this.bytes <= this.maxBytes) this.grow();
    const start = this.startOf(a);
    const last = start + GROUP_WORDS - WORDS;
    if (!this.isTaken(last)) this.size++;
    this.groups.copyWithin(start + WORDS, start, last);
    this.write(start, a, b, c, d);
  }

  private startOf(a: number): number {
    return (a & (this.groups.length / GROUP_WORDS - 1)) * GROUP_WORDS; // the number of groups is a power of two
  }

  private isTaken(at: number): boolean {
    const { groups } = this;
    return (
      ((groups[at] as number) |
        (groups[at + 1] as number) |
        (groups[at + 2] as number) |
        (groups[at + 3] as number)) !==
      0
    );
  }

  private write(at: number, a: number, b: number, c: number, d: number): void {
    const { groups } = this;
    groups[at] = a;
    groups[at + 1] = b;
    groups[at + 2] = c;
    groups[at + 3] = d;
  }

  /** Doubles the room. Each group becomes two, in which the order of use stays the same. */
  private grow(): void {
    const old = this.groups;
    this.groups = new Uint32Array(2 * old.length);
    this.size = 0;
    const half = old.length / GROUP_WORDS;
    for (let group = 0; group < half; group++) {
      const next = [group * GROUP_WORDS, (group + half) * GROUP_WORDS];
      for (let way = 0; way < WAYS; way++) {
        const from = group * GROUP_WORDS + way * WORDS;
        const [a = 0, b = 0, c = 0, d = 0] = old.subarray(from, from + WORDS);
        if ((a | b | c | d) === 0) break;
        const upper = (a & half) === 0 ? 0 : 1;
        this.write(next[upper] as number, a, b, c, d);
        next[upper] = (next[upper] as number) + WORDS;
        this.size++;
      }
    }
  }
}
