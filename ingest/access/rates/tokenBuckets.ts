/** A rate limit with a burst. */
export interface RateLimit {
  readonly perSec: number;
  /** At least 1. */
  readonly burst: number;
}

export interface TokenBucketsOptions extends RateLimit {
  /** Maximum charge of one request. */
  readonly maxCharge: number;
  /** Maximum number of buckets kept. @default 100000 */
  readonly maxBuckets?: number;
}

const MAX_BUCKETS = 100_000;
/** Buckets are kept at least this long, ms. */
const MIN_KEEP_MS = 60_000;

/** The token bucket of one client. Times are monotonic, ms. */
export class TokenBucket {
  private tokens: number;

  constructor(
    private readonly limit: RateLimit,
    private at: number,
  ) {
    this.tokens = limit.burst;
  }

  /** Time until a token is available, s; 0 when one is. */
  waitSec(now: number): number {
    this.refill(now);
    return this.tokens >= 1 ? 0 : (1 - this.tokens) / this.limit.perSec;
  }

  /** Whether the balance is negative. */
  isInDebt(now: number): boolean {
    this.refill(now);
    return this.tokens < 0;
  }

  /** Charges tokens. The balance may become negative; later requests then wait until it has recovered. */
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
 * Token buckets of many clients, in bounded memory. It keeps two generations and drops buckets that were not used for one
 * generation. A generation lasts until every unused bucket is full again, so that dropping it changes nothing, or until
 * there are too many buckets: then the least recently used ones are dropped.
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

  /** @param now monotonic time, ms */
  of(client: Client, now: number): TokenBucket {
    if (now >= this.turnAt) this.turn(now);
    let bucket = this.young.get(client);
    if (bucket) return bucket;
    bucket = this.old.get(client) ?? new TokenBucket(this.options, now);
    if (this.young.size >= this.maxYoung) this.turn(now);
    this.young.set(client, bucket);
    return bucket;
  }

  /** Number of buckets kept; a bucket in both generations counts twice. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  private turn(now: number): void {
    this.old = this.young;
    this.young = new Map();
    this.turnAt = now + this.keepMs;
  }
}
