/**
 * Estimates the watermark: events older than it have probably all arrived. It decides when windows close, never whether
 * numbers are correct, so it may be wrong. It must advance, however, or windows stay open forever.
 *
 * Google's time is estimated from the publish times of messages, and advances between messages with the monotonic clock. So
 * the watermark is never ahead of Google's clock. The clock of the host plays no part, except for one of several readers that
 * has received no message at all. The watermark of the source is the minimum of its readers, so a wrong clock cannot set it
 * ahead of a reader that receives messages.
 */
export interface WatermarkOptions {
  /** How far the watermark stays behind the oldest recent or buffered event; ms. */
  readonly slackMs: number;
  /** Time without messages after which the watermark follows the clock; ms. Also how long an arrival counts as recent. */
  readonly idleMs: number;
  /** Events that are published at a greater age bypass the session windows, so they do not hold the watermark; ms. */
  readonly ignoreOlderMs: number;
  /**
   * The subscription has other readers, and this one must not hold back their watermark when it gets no message: it may be that
   * Pub/Sub sends all messages to the others. Until the first message, it follows the clock of the host. @default false
   */
  readonly hasOtherReaders?: boolean;
}

/** The times of a message; epoch ms. */
export interface MessageTimes {
  readonly eventTime: number;
  readonly publishTime: number;
}

/** The watermark before the first estimate. */
const BEGINNING = 0;

/** All parameters `now` are readings of a monotonic clock, in ms. */
export class WatermarkEstimator {
  private watermark = BEGINNING;
  private lastArrival: number;
  /** Google's time minus the monotonic clock: the largest estimate of any message. Undefined: no message has arrived. */
  private clockOffset: number | undefined;
  /** The smallest event time that arrived in each of the last seconds: [second, event time], ascending by second. */
  private recent: [number, number][] = [];
  /** Nacked messages that were not redelivered yet: id -> [event time, when to stop waiting]. */
  private readonly awaited = new Map<string, readonly [number, number]>();

  constructor(
    private readonly options: WatermarkOptions,
    startedAt: number,
    private readonly hostNow: () => number = Date.now,
  ) {
    this.lastArrival = startedAt;
  }

  /** Whether the watermark waits for a message; false if its event was old when it was published. */
  isHeldBy({ eventTime, publishTime }: MessageTimes): boolean {
    return eventTime >= publishTime - this.options.ignoreOlderMs;
  }

  /** Records the arrival of a message. */
  arrived(messageId: string, times: MessageTimes, now: number): void {
    const { eventTime, publishTime } = times;
    this.lastArrival = now;
    this.clockOffset = Math.max(this.clockOffset ?? -Infinity, publishTime - now);
    if (this.awaited.size) this.awaited.delete(messageId);
    if (!this.isHeldBy(times)) return;
    const second = Math.floor(now / 1000);
    const last = this.recent.at(-1);
    if (last?.[0] === second) last[1] = Math.min(last[1], eventTime);
    else this.recent.push([second, eventTime]);
  }

  /** Records the nack of a message: the watermark waits for its redelivery, at most `holdMs`. */
  nacked(messageId: string, times: MessageTimes, now: number, holdMs: number): void {
    this.lastArrival = now;
    if (this.isHeldBy(times)) this.awaited.set(messageId, [times.eventTime, now + holdMs]);
  }

  /**
   * The current watermark, epoch ms. Never decreases.
   * @param now monotonic time, ms
   * @param oldestBuffered event time of the oldest buffered message that holds the watermark; Infinity if no message does
   * @param isBlocked whether flow control holds messages back, so that their absence means nothing
   */
  current(now: number, oldestBuffered: number, isBlocked: boolean): number {
    const { idleMs, slackMs, hasOtherReaders } = this.options;
    if (this.clockOffset === undefined) {
      if (!hasOtherReaders || isBlocked || now - this.lastArrival < idleMs) return this.watermark;
      this.watermark = Math.max(this.watermark, this.hostNow() - slackMs);
      return this.watermark;
    }
    if (isBlocked) {
      this.lastArrival = now;
      const last = this.recent.at(-1);
      if (last) last[0] = Math.floor(now / 1000);
    }
    let oldest = Math.min(now + this.clockOffset, oldestBuffered);
    const from = Math.floor((now - idleMs) / 1000);
    this.recent = this.recent.filter(([second]) => second >= from);
    for (const [, eventTime] of this.recent) oldest = Math.min(oldest, eventTime);
    for (const [id, [eventTime, until]] of this.awaited) {
      if (until < now) this.awaited.delete(id);
      else oldest = Math.min(oldest, eventTime);
    }
    const isIdle = now - this.lastArrival >= idleMs;
    if (isIdle || this.recent.length || this.awaited.size) {
      this.watermark = Math.max(this.watermark, Math.floor(oldest - slackMs));
    }
    return this.watermark;
  }
}
