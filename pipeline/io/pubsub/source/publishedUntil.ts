/**
 * Estimates up to which time of publication a subscriber has acknowledged everything. The service does not report it: what is known are
 * the messages that the subscriber holds, and that nothing has arrived for a while. It decides when a rebuild begins to
 * compare numbers, never whether they are correct.
 */
export class PublishedUntil {
  /** Since when nothing has arrived and nothing was held back, by the monotonic clock; ms. */
  private quietSince: number;
  private newest = -Infinity;
  /** Google's time minus the monotonic clock: the largest estimate of any message; ms. */
  private clockOffset: number | undefined;
  /** Nacked messages that were not redelivered yet: id -> [publish time, when to stop waiting]. */
  private readonly awaited = new Map<string, readonly [number, number]>();

  /**
   * @param leaseMs lease of a message. Nothing is known for this long after the start, because a reader that was killed may have left
   *   messages whose leases have not ended
   * @param startedAt monotonic time; ms
   */
  constructor(
    private readonly leaseMs: number,
    private readonly startedAt: number,
    private readonly hostNow: () => number = Date.now,
  ) {
    this.quietSince = startedAt;
  }

  /** Records the arrival of a message. @param publishTime epoch ms @param now monotonic time; ms */
  arrived(messageId: string, publishTime: number, now: number): void {
    this.quietSince = now;
    this.newest = Math.max(this.newest, publishTime);
    this.clockOffset = Math.max(this.clockOffset ?? -Infinity, publishTime - now);
    if (this.awaited.size) this.awaited.delete(messageId);
  }

  /** Records the nack of a message, which is then awaited for at most `holdMs`. */
  nacked(messageId: string, publishTime: number, now: number, holdMs: number): void {
    this.quietSince = now;
    this.awaited.set(messageId, [publishTime, now + holdMs]);
  }

  /**
   * @param now monotonic time; ms
   * @param oldestHeld publish time of the oldest message that was received and not acknowledged; Infinity without one
   * @param isBlocked whether flow control holds messages back, so that their absence means nothing
   * @returns epoch ms; undefined: not known
   */
  current(now: number, oldestHeld: number, isBlocked: boolean): number | undefined {
    if (isBlocked) this.quietSince = now;
    if (now - this.startedAt < this.leaseMs) return undefined;
    for (const [id, [, until]] of this.awaited) if (until < now) this.awaited.delete(id);
    // A connection that died silently looks like a quiet subscription until its keep-alive pings fail, so that the margin is
    // about that long with the default lease of 60 s.
    const marginMs = this.leaseMs / 2;
    const quietUntil = now - this.quietSince >= marginMs ? this.googleNow(now) - marginMs : -Infinity;
    let until = Math.max(quietUntil, this.newest - ORDER_MARGIN_MS);
    if (oldestHeld < Infinity) until = Math.min(until, oldestHeld - 1);
    for (const [publishTime] of this.awaited.values()) until = Math.min(until, publishTime - 1);
    return until === -Infinity ? undefined : until;
  }

  private googleNow(now: number): number {
    return this.clockOffset === undefined ? this.hostNow() : now + this.clockOffset;
  }
}

/** How much later than a younger one a message may be delivered, as far as this estimate cares; ms. */
const ORDER_MARGIN_MS = 5000;
