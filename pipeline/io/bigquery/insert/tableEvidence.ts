/**
 * When the table last accepted a row; shared by the deliveries of one writer. Without it, a refusal proves nothing about the
 * refused row, because the table may refuse every row for a while.
 *
 * Events are ordered by ticks of a counter, not by a clock: an acceptance counts only when its request started after the
 * refusal was seen, however close the two are.
 */
export class TableEvidence {
  private ticks = 0;
  private accepted: { readonly startedAt: number; readonly text: string } | undefined;

  /** The next tick. Take one when a request starts and one when a refusal is seen. */
  tick(): number {
    return ++this.ticks;
  }

  /**
   * Records that the table accepted a row.
   * @param startedAt the tick at which the request started
   * @param text the accepted row, as it was sent
   */
  accept(startedAt: number, text: string): void {
    if (startedAt > this.lastAcceptedAt) this.accepted = { startedAt, text };
  }

  /** The tick at which the latest request with an accepted row started; 0 before the first one. */
  get lastAcceptedAt(): number {
    return this.accepted?.startedAt ?? 0;
  }

  /** The last accepted row, if its request started after `tick`. */
  rowAcceptedAfter(tick: number): string | undefined {
    return this.accepted && this.accepted.startedAt > tick ? this.accepted.text : undefined;
  }
}
