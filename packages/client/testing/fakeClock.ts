import { setImmediate as turn } from "node:timers/promises";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** A clock that only `advance` moves. */
export class FakeClock {
  /** Epoch milliseconds. */
  now: number;
  private readonly timers = new Set<Timer>();

  constructor(now = 1_700_000_000_000) {
    this.now = now;
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer = { at: this.now + Math.max(0, ms), run };
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.timers.delete(timer as Timer);
  }

  /** Time until the next timer, ms; undefined without timers. */
  get next(): number | undefined {
    const timer = this.earliest();
    return timer && timer.at - this.now;
  }

  /** Advances the clock, runs the timers that become due, and lets promises settle. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await turn();
    for (let timer = this.earliest(); timer && timer.at <= end; timer = this.earliest()) {
      this.timers.delete(timer);
      this.now = Math.max(this.now, timer.at);
      timer.run();
      await turn();
    }
    this.now = end;
  }

  private earliest(): Timer | undefined {
    return [...this.timers].reduce<Timer | undefined>((a, b) => (a && a.at <= b.at ? a : b), undefined);
  }
}
