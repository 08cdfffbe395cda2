/**
 * Data of replay messages that may be taken in one round; bytes. The least is about 4,000 events, which take some tenths of a second: on a
 * busy machine every round is long, with replayed events or without, and a smaller budget would only delay the end of the replay.
 */
const BUDGET = { least: 512 * 1024, first: 512 * 1024, most: 16 * 2 ** 20 };

/**
 * Decides how much is replayed beside live events. Flink passes the output of a round, the time between two self-checkpoints, on as a whole,
 * so that a live event of the next round waits until the steps after the source have processed all that was replayed in this one. The
 * budget of a round is therefore what those steps process in about the time of a round.
 */
export class ReplayPace {
  private budget = BUDGET.first;
  private used = 0;
  private startedAt: number | undefined;

  /** @param roundMs time that a round with replayed events should take, with the steps after the source; ms */
  constructor(private readonly roundMs: number) {}

  /** Starts a round. @param now monotonic time; ms */
  startRound(now: number): void {
    const { used, startedAt, budget } = this;
    if (used > 0 && startedAt !== undefined) {
      const factor = this.roundMs / Math.max(1, now - startedAt);
      // A round that did not use its budget does not show what a larger one would cost.
      if (factor < 1 || used >= budget) {
        const next = budget * Math.min(2, Math.max(0.5, factor));
        this.budget = Math.min(BUDGET.most, Math.max(BUDGET.least, next));
      }
    }
    this.used = 0;
    this.startedAt = now;
  }

  /** Whether the round may take another replay message. */
  get hasBudget(): boolean {
    return this.used < this.budget;
  }

  /** Records a replay message. @param bytes size of its data */
  took(bytes: number): void {
    this.used += bytes;
  }
}
