/**
 * Estimates how far event time has come: everything older has probably been seen. It is a matter of when windows close,
 * never of correctness, so it may be wrong; but it must move, or windows stay open for ever.
 */
export interface WatermarkOptions {
  /** How far behind the oldest event in sight the watermark stays; ms. */
  readonly slackMs: number;
  /** Silence after which the watermark follows the clock; ms. Also how long an arrival counts as recent. */
  readonly idleMs: number;
  /** After the start, how long the watermark waits for redeliveries; ms. Longer than the ack deadline. */
  readonly startupHoldMs: number;
  /** Events older than this go round the windows, and must not hold the watermark; ms. */
  readonly ignoreOlderMs: number;
}

/** The watermark while nothing is known. */
const BEGINNING = 0;

export class WatermarkEstimator {
  private watermark = BEGINNING;
  private lastArrival: number;
  /** Smallest event time of the arrivals of each of the last seconds: [second, event time], ascending. */
  private recent: [number, number][] = [];
  /** What was given back, until it comes again: id -> [event time, when to stop waiting]. */
  private readonly returned = new Map<string, readonly [number, number]>();

  constructor(
    private readonly options: WatermarkOptions,
    private readonly startedAt: number,
  ) {
    this.lastArrival = startedAt;
  }

  private ignores(eventTime: number, now: number): boolean {
    return eventTime < now - this.options.ignoreOlderMs;
  }

  arrived(messageId: string, eventTime: number, now: number): void {
    this.lastArrival = now;
    if (this.returned.size) this.returned.delete(messageId);
    if (this.ignores(eventTime, now)) return;
    const second = Math.floor(now / 1000);
    const last = this.recent.at(-1);
    if (last?.[0] === second) last[1] = Math.min(last[1], eventTime);
    else this.recent.push([second, eventTime]);
  }

  /** A message was given back: the watermark waits until it comes again, at most `holdMs`. */
  gaveBack(messageId: string, eventTime: number, now: number, holdMs: number): void {
    this.lastArrival = now;
    if (!this.ignores(eventTime, now)) this.returned.set(messageId, [eventTime, now + holdMs]);
  }

  /**
   * The watermark; never goes back.
   * @param oldestBuffered event time of the oldest message in sight that was not given out; Infinity when there is none
   * @param blocked whether flow control keeps messages away: silence then means nothing
   */
  current(now: number, oldestBuffered: number, blocked: boolean): number {
    const { idleMs, slackMs, startupHoldMs } = this.options;
    if (blocked) {
      this.lastArrival = now;
      const last = this.recent.at(-1);
      if (last) last[0] = Math.floor(now / 1000);
    }
    let oldest = Math.min(now, this.ignores(oldestBuffered, now) ? now : oldestBuffered);
    const from = Math.floor((now - idleMs) / 1000);
    this.recent = this.recent.filter(([second]) => second >= from);
    for (const [, eventTime] of this.recent) oldest = Math.min(oldest, eventTime);
    for (const [id, [eventTime, until]] of this.returned) {
      if (until < now) this.returned.delete(id);
      else oldest = Math.min(oldest, eventTime);
    }
    const idle = now - this.lastArrival >= idleMs;
    const held = now - this.startedAt < startupHoldMs;
    if (!held && (idle || this.recent.length || this.returned.size)) {
      this.watermark = Math.max(this.watermark, oldest - slackMs);
    }
    return this.watermark;
  }
}
