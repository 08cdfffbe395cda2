/**
 * What the deliveries of one writer know together: when the table last accepted a row. Without that, a refusal says nothing
 * about the refused row: the table may refuse every row for a while.
 *
 * Order is by ticks of a counter, not by a clock: an acceptance counts only when its request started after a refusal was
 * seen, however close the two are.
 */
export class TableEvidence {
  private ticks = 0;
  private accepted: { readonly startedAt: number; readonly text: string } | undefined;

  /** The next tick: take one when a request starts and one when a refusal is seen. */
  tick(): number {
    return ++this.ticks;
  }

  /**
   * The table accepted a row.
   * @param startedAt the tick at which the request started
   * @param text the accepted row, as it was sent
   */
  accept(startedAt: number, text: string): void {
    if (startedAt > this.lastAcceptedAt) this.accepted = { startedAt, text };
  }

  /** The tick at which the latest request started that had a row accepted; 0 when there was none. */
  get lastAcceptedAt(): number {
    return this.accepted?.startedAt ?? 0;
  }

  /** The row that was accepted last, when its request started after `tick`. */
  rowAcceptedAfter(tick: number): string | undefined {
    return this.accepted && this.accepted.startedAt > tick ? this.accepted.text : undefined;
  }
}
