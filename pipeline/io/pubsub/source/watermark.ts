/**
 * Estimates the watermark: events older than it have probably all arrived. It decides when windows close, never whether
 * numbers are correct, so it may be wrong. It must advance, however, or windows stay open forever.
 */
export interface WatermarkOptions {
  /** How far the watermark stays behind the oldest recent or buffered event; ms. */
  readonly slackMs: number;
  /** Time without messages after which the watermark follows the clock; ms. Also how long an arrival counts as recent. */
  readonly idleMs: number;
  /** How long the watermark waits for redeliveries after the start; ms. Longer than the ack deadline. */
  readonly startupHoldMs: number;
  /** Events older than this bypass the session windows, so they do not hold the watermark; ms. */
  readonly ignoreOlderMs: number;
}

/** The watermark before the first estimate. */
const BEGINNING = 0;

export class WatermarkEstimator {
  private watermark = BEGINNING;
  private lastArrival: number;
  /** The smallest event time that arrived in each of the last seconds: [second, event time], ascending by second. */
  private recent: [number, number][] = [];
  /** Nacked messages that were not redelivered yet: id -> [event time, when to stop waiting]. */
  private readonly awaited = new Map<string, readonly [number, number]>();

  constructor(
    private readonly options: WatermarkOptions,
    private readonly startedAt: number,
  ) {
    this.lastArrival = startedAt;
  }

  private ignores(eventTime: number, now: number): boolean {
    return eventTime < now - this.options.ignoreOlderMs;
  }

  /** Records the arrival of a message. */
  arrived(messageId: string, eventTime: number, now: number): void {
    this.lastArrival = now;
    if (this.awaited.size) this.awaited.delete(messageId);
    if (this.ignores(eventTime, now)) return;
    const second = Math.floor(now / 1000);
    const last = this.recent.at(-1);
    if (last?.[0] === second) last[1] = Math.min(last[1], eventTime);
    else this.recent.push([second, eventTime]);
  }

  /** Records the nack of a message: the watermark waits for its redelivery, at most `holdMs`. */
  nacked(messageId: string, eventTime: number, now: number, holdMs: number): void {
    this.lastArrival = now;
    if (!this.ignores(eventTime, now)) this.awaited.set(messageId, [eventTime, now + holdMs]);
  }

  /**
   * The current watermark, epoch ms. Never decreases.
   * @param oldestBuffered event time of the oldest buffered message; Infinity when none is buffered
   * @param blocked whether flow control holds messages back, so that their absence means nothing
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
    for (const [id, [eventTime, until]] of this.awaited) {
      if (until < now) this.awaited.delete(id);
      else oldest = Math.min(oldest, eventTime);
    }
    const idle = now - this.lastArrival >= idleMs;
    const held = now - this.startedAt < startupHoldMs;
    if (!held && (idle || this.recent.length || this.awaited.size)) {
      this.watermark = Math.max(this.watermark, oldest - slackMs);
    }
    return this.watermark;
  }
}
