/** A limit: so many a second, and so many at once after a rest. */
export interface RateLimit {
  readonly perSec: number;
  /** At least 1. */
  readonly burst: number;
}

export interface TokenBucketsOptions extends RateLimit {
  /** The most that is charged at once. */
  readonly maxCharge: number;
  /** The most buckets that are kept. @default 100000 */
  readonly maxBuckets?: number;
}

const MAX_BUCKETS = 100_000;
/** Shorter than this nothing is forgotten, ms. */
const MIN_KEEP_MS = 60_000;

/** What one client may still do. Times are ms, not going back. */
export class TokenBucket {
  private tokens: number;

  constructor(
    private readonly limit: RateLimit,
    private at: number,
  ) {
    this.tokens = limit.burst;
  }

  /** How long until there is a token, s; 0 when there is one. */
  waitSec(now: number): number {
    this.refill(now);
    return this.tokens >= 1 ? 0 : (1 - this.tokens) / this.limit.perSec;
  }

  /** Whether more has been charged than there was. */
  isInDebt(now: number): boolean {
    this.refill(now);
    return this.tokens < 0;
  }

  /** Takes tokens, also those that are not there: then the next ones have to wait until they are. */
  charge(tokens: number): void {
    this.tokens -= tokens;
  }

  private refill(now: number): void {
    const { perSec, burst } = this.limit;
    this.tokens = Math.min(burst, this.tokens + ((now - this.at) * perSec) / 1000);
    this.at = now;
  }
}

/**
 * Token buckets of many clients, in bounded memory. They are kept in two generations: what is not used for a generation
 * is forgotten with it. A generation lasts until every bucket that is not used is full again, so that nothing is lost by
 * that, or until there are too many: then those that have not been used for longest go.
 */
export class TokenBuckets<Client extends string | number> {
  private young = new Map<Client, TokenBucket>();
  private old = new Map<Client, TokenBucket>();
  private turnAt = -Infinity;
  private readonly keepMs: number;
  private readonly maxYoung: number;

  constructor(private readonly options: TokenBucketsOptions) {
    const { perSec, burst, maxCharge, maxBuckets = MAX_BUCKETS } = options;
    this.keepMs = Math.max(MIN_KEEP_MS, ((burst + maxCharge) / perSec) * 1000);
    this.maxYoung = Math.max(1, Math.floor(maxBuckets / 2));
  }

  /** @param now ms, not going back */
  of(client: Client, now: number): TokenBucket {
    if (now >= this.turnAt) this.turn(now);
    let bucket = this.young.get(client);
    if (bucket) return bucket;
    bucket = this.old.get(client) ?? new TokenBucket(this.options, now);
    if (this.young.size >= this.maxYoung) this.turn(now);
    this.young.set(client, bucket);
    return bucket;
  }

  /** How many buckets are kept; some may count twice. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  private turn(now: number): void {
    this.old = this.young;
    this.young = new Map();
    this.turnAt = now + this.keepMs;
  }
}
