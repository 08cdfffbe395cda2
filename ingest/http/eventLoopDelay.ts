/** Interval of the monitor's timer, ms. */
const TICK_MS = 20;
/** Length of a measurement, ms: long enough for several turns of the loop, short enough to accept load again soon. */
const WINDOW_MS = 500;

/** Measures the event-loop delay of this process, to detect overload. */
export class EventLoopDelay {
  private readonly timer: NodeJS.Timeout;
  private last: number;
  private sum = 0;
  private squares = 0;
  private lag = 0;
  private lagBefore = 0;

  /** @param now monotonic time, ms */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.last = now();
    // After the loop was blocked, this timer runs before the requests that arrived meanwhile.
    this.timer = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /**
   * Event-loop delay as seen by a request arriving at a random moment of the last 500 ms, in ms. Turns are weighted by
   * their length, unlike in the mean of node:perf_hooks: one long turn among many short ones hits most requests. It is the
   * smaller value of the last two periods of 500 ms, so that one long turn (a garbage collection, loading code) does not
   * count as overload.
   */
  get ms(): number {
    return Math.min(this.lag, this.lagBefore);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Records the end of a turn. The timer calls it; it is public for tests. */
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
