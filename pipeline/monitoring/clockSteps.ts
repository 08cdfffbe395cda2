/** A difference between wall clock and monotonic clock that counts as a step; ms. */
const STEP_MS = 1000;

/** Detects steps of the wall clock: movements that the monotonic clock did not make. */
export class ClockSteps {
  private offset: number;
  /** Number of steps so far. */
  count = 0;

  /** @param wall epoch ms, @param monotonic ms */
  constructor(
    private readonly wall: () => number = Date.now,
    private readonly monotonic: () => number = () => performance.now(),
  ) {
    this.offset = this.currentOffset();
  }

  /** Compares the clocks with the last check. @returns the step since then, ms; 0 when there was none */
  check(): number {
    const offset = this.currentOffset();
    const moved = offset - this.offset;
    // Small movements are followed, so that the slewing of NTP does not add up to a step.
    this.offset = offset;
    if (Math.abs(moved) < STEP_MS) return 0;
    this.count++;
    return Math.round(moved);
  }

  /** Wall clock minus monotonic clock, ms, read again when the process paused between the two readings. */
  private currentOffset(): number {
    for (let attempt = 1; ; attempt++) {
      const before = this.monotonic();
      const wall = this.wall();
      const after = this.monotonic();
      if (after - before < STEP_MS / 10 || attempt === 10) return wall - (before + after) / 2;
    }
  }
}
