import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";

/** The sessions of a bundle: intervals by session key. */
export class SessionSet {
  private readonly sessions = new Map<string, readonly Interval[]>();

  /** @param gapMs session gap, ms */
  constructor(private readonly gapMs: number) {}

  /** Number of session keys. */
  get size(): number {
    return this.sessions.size;
  }

  /** @param intervals disjoint, sorted */
  add(key: string, intervals: readonly Interval[]): void {
    let known = this.sessions.get(key);
    if (!known) {
      this.sessions.set(key, intervals);
      return;
    }
    for (const interval of intervals) known = addInterval(known, interval, this.gapMs)?.intervals ?? known;
    this.sessions.set(key, known);
  }

  /** Empties the set. */
  drain(): Map<string, readonly Interval[]> {
    const drained = new Map(this.sessions);
    this.sessions.clear();
    return drained;
  }
}
