/**
 * Decides when finalised bundles may be acknowledged to Pub/Sub. It counts checkpoints and uses no clock.
 *
 * When a checkpoint completes, Flink finalises every bundle that has ended so far, also those that ended after the snapshot
 * was taken. So the checkpoint that causes a finalisation may lack the bundle, and so may the next one, if it began
 * before the bundle ended. The one after that contains it: Flink begins a checkpoint only after the one before has completed
 * (`max-concurrent-checkpoints` is 1). Therefore: if `n` is the newest complete checkpoint after a bundle was finalised, the
 * bundle is safe when two different later checkpoints are complete. Their numbers do not matter, because checkpoints that fail use
 * up numbers.
 */
export class AckTracker<T> {
  private readonly rounds: { readonly checkpoint: number; readonly items: T[] }[] = [];

  /**
   * Adds an item that was finalised.
   * @param checkpoint number of the newest complete checkpoint, read after the finalisation was requested
   * @returns the items that are now safe to acknowledge
   */
  add(item: T, checkpoint: number): T[] {
    const released: T[] = [];
    let newest = this.rounds.at(-1);
    if (!newest || checkpoint > newest.checkpoint) {
      newest = { checkpoint, items: [] };
      this.rounds.push(newest);
      while (this.rounds.length > 2) released.push(...(this.rounds.shift()?.items ?? []));
    }
    newest.items.push(item);
    return released;
  }

  /** Removes and returns all waiting items. None of them is safe: the job attempt has ended. */
  takeAll(): T[] {
    return this.rounds.splice(0).flatMap((round) => round.items);
  }
}
