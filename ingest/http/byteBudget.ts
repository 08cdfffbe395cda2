/** A bound on the memory that many holders use together. */
export class ByteBudget {
  private used = 0;

  /** @param max bytes */
  constructor(private readonly max: number) {}

  /** Takes bytes; false, and nothing taken, when there are not so many left. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  /** Gives bytes back that were taken. */
  give(bytes: number): void {
    this.used -= bytes;
  }

  /** Bytes taken now. */
  get taken(): number {
    return this.used;
  }
}
