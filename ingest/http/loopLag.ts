/** How often the loop is asked to come by, ms. */
const TICK_MS = 20;
/** How far the judgement looks back, ms: long enough for some turns of the loop, short enough to open again soon. */
const WINDOW_MS = 500;

/** Tells when the event loop of this process lags: more work is there than it can do. */
export class LoopLag {
  private readonly timer: NodeJS.Timeout;
  private last: number;
  private sum = 0;
  private squares = 0;
  private lag = 0;
  private lagBefore = 0;

  /** @param now ms, not going back */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.last = now();
    // When the loop has been blocked, this timer comes before the requests that have arrived meanwhile.
    this.timer = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /**
   * How long the turn of the loop was that something arriving at any moment of the last half second fell into, over what
   * the monitor itself waits, ms; of the half second before, when that was less: one long turn (code that is loaded, a
   * collection of garbage) is no overload. It is not the mean of the turns, which is what the histogram of node:perf_hooks gives:
   * one long turn between many short ones hits most arrivals.
   */
  get ms(): number {
    return Math.min(this.lag, this.lagBefore);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** A turn of the loop has ended; public for tests, as the timer calls it. */
  tick(): void {
    const now = this.now();
    const turn = now - this.last;
    this.last = now;
    this.sum += turn;
    this.squares += turn ** 2;
    if (this.sum < WINDOW_MS) return;
    this.lagBefore = this.lag;
    this.lag = Math.max(0, this.squares / this.sum - TICK_MS);
    this.sum = this.squares = 0;
  }
}
