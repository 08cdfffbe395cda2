/** How long a body may take to arrive before others may have its memory, ms. */
const GRACE_MS = 2000;

/** A body that is still arriving. */
export interface ArrivingBody {
  /** Monotonic time of its first byte, ms. */
  readonly since: number;
  /** Gives back its bytes, and refuses the request. */
  evict(): void;
}

/**
 * Limits the memory that many requests use together. When it is used up, bodies that have been arriving for more than 2 s
 * are refused in favour of new ones, the oldest first: clients that stall keep no memory from others.
 */
export class ByteBudget {
  private used = 0;
  /** In the order of their first byte. */
  private readonly arriving = new Set<ArrivingBody>();

  /**
   * @param max bytes
   * @param now monotonic time, ms
   */
  constructor(
    private readonly max: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Reserves bytes. @returns false, with nothing reserved, when fewer are left */
  take(bytes: number): boolean {
    if (this.used + bytes > this.max && !this.makeRoom(bytes)) return false;
    this.used += bytes;
    return true;
  }

  /** Releases reserved bytes. */
  give(bytes: number): void {
    this.used -= bytes;
  }

  /** Adds a body that may be evicted, until {@link arrived}. @param evict see {@link ArrivingBody} */
  arrives(evict: () => void): ArrivingBody {
    const body = { since: this.now(), evict };
    this.arriving.add(body);
    return body;
  }

  /** Removes a body that is complete, or refused. */
  arrived(body: ArrivingBody): void {
    this.arriving.delete(body);
  }

  /** Bytes reserved now. */
  get taken(): number {
    return this.used;
  }

  private makeRoom(bytes: number): boolean {
    const before = this.now() - GRACE_MS;
    for (const body of this.arriving) {
      if (body.since > before) break;
      this.arriving.delete(body);
      body.evict();
      if (this.used + bytes <= this.max) return true;
    }
    return false;
  }
}
