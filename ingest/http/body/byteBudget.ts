/** Limits the memory that many requests use together. */
export class ByteBudget {
  private used = 0;

  /** @param max bytes */
  constructor(private readonly max: number) {}

  /** Reserves bytes. @returns false, with nothing reserved, when fewer are left */
  take(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  /** Releases reserved bytes. */
  give(bytes: number): void {
    this.used -= bytes;
  }

  /** Bytes reserved now. */
  get taken(): number {
    return this.used;
  }
}
