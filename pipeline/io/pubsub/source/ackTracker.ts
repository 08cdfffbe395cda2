/**
 * Decides when finalised bundles may be acknowledged to Pub/Sub.
 *
 * When a checkpoint completes, Flink finalises every bundle that has finished so far, including bundles that finished after
 * the snapshot was taken. Those are safe only with a later checkpoint. So finalised bundles wait in rounds, one per
 * checkpoint, and a round is released when enough newer ones have started. The calls of one checkpoint arrive in a burst,
 * which makes one round. Two closed rounds also cover a burst that is split into two rounds by mistake.
 */
export class AckTracker<T> {
  private readonly rounds: { readonly startedAt: number; readonly items: T[] }[] = [];

  /**
   * @param closedRounds rounds that wait, in addition to the open one
   * @param minRoundMs minimum time between the starts of two rounds; ms, below the checkpoint interval
   */
  constructor(
    private readonly closedRounds: number,
    private readonly minRoundMs: number,
  ) {}

  /**
   * Adds an item that was finalised now.
   * @param now epoch ms
   * @returns the items that are now safe to acknowledge
   */
  add(item: T, now: number): T[] {
    const released: T[] = [];
    let open = this.rounds.at(-1);
    if (!open || now - open.startedAt >= this.minRoundMs) {
      open = { startedAt: now, items: [] };
      this.rounds.push(open);
      while (this.rounds.length > this.closedRounds + 1) released.push(...(this.rounds.shift()?.items ?? []));
    }
    open.items.push(item);
    return released;
  }

  /** Removes and returns all waiting items. None of them is safe: the job attempt has ended. */
  takeAll(): T[] {
    return this.rounds.splice(0).flatMap((round) => round.items);
  }
}
