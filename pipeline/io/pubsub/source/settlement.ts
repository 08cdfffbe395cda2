/**
 * Decides when what the runner has finalised may be acknowledged.
 *
 * Flink finalises, when a checkpoint completes, every bundle that has ended so far, also those that ended after the
 * snapshot was taken: they are safe only with a later checkpoint. So what is finalised waits in generations, and the
 * oldest generation is released when newer ones have come. The calls of one checkpoint come in a burst, which is one
 * generation; two closed generations cover a burst that is taken for two.
 */
export class Generations<T> {
  private readonly waiting: { readonly startedAt: number; readonly items: T[] }[] = [];

  /**
   * @param keep generations that wait, beside the one that is open
   * @param minAgeMs a new generation starts only this long after the one before it; below the checkpoint interval
   */
  constructor(
    private readonly keep: number,
    private readonly minAgeMs: number,
  ) {}

  /** Adds what was finalised now and returns what is safe by now. */
  add(item: T, now: number): T[] {
    const released: T[] = [];
    let open = this.waiting.at(-1);
    if (!open || now - open.startedAt >= this.minAgeMs) {
      open = { startedAt: now, items: [] };
      this.waiting.push(open);
      while (this.waiting.length > this.keep + 1) released.push(...(this.waiting.shift()?.items ?? []));
    }
    open.items.push(item);
    return released;
  }

  /** Takes out everything that waits: the job attempt is over, and none of it is safe. */
  takeAll(): T[] {
    return this.waiting.splice(0).flatMap((g) => g.items);
  }
}
