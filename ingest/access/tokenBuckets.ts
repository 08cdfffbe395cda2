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
  /** ms, not going back. */
  readonly now?: () => number;
}

const MAX_BUCKETS = 100_000;
/** Shorter than this nothing is forgotten, ms. */
const MIN_KEEP_MS = 60_000;

/** What one client may still do. */
export class TokenBucket {
  private tokens: number;
  private at: number;

  constructor(
    private readonly limit: RateLimit,
    private readonly now: () => number,
  ) {
    this.tokens = limit.burst;
    this.at = now();
  }

  /** How long until there is a token, s; 0 when there is one. */
  get waitSec(): number {
    this.refill();
    return this.tokens >= 1 ? 0 : (1 - this.tokens) / this.limit.perSec;
  }

  /** Whether more has been charged than there was. */
  get inDebt(): boolean {
    this.refill();
    return this.tokens < 0;
  }

  /** Takes tokens, also those that are not there: then the next ones have to wait until they are. */
  charge(tokens: number): void {
    this.tokens -= tokens;
  }

  private refill(): void {
    const now = this.now();
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
export class TokenBuckets {
  private young = new Map<string, TokenBucket>();
  private old = new Map<string, TokenBucket>();
  private turnAt: number;
  private readonly keepMs: number;
  private readonly maxYoung: number;
  private readonly now: () => number;

  constructor(private readonly options: TokenBucketsOptions) {
    const { perSec, burst, maxCharge, maxBuckets = MAX_BUCKETS, now = () => performance.now() } = options;
    this.now = now;
    this.keepMs = Math.max(MIN_KEEP_MS, ((burst + maxCharge) / perSec) * 1000);
    this.maxYoung = Math.max(1, Math.floor(maxBuckets / 2));
    this.turnAt = now() + this.keepMs;
  }

  of(client: string): TokenBucket {
    if (this.now() >= this.turnAt) this.turn();
    let bucket = this.young.get(client);
    if (bucket) return bucket;
    bucket = this.old.get(client) ?? new TokenBucket(this.options, this.now);
    if (this.young.size >= this.maxYoung) this.turn();
    this.young.set(client, bucket);
    return bucket;
  }

  /** How many buckets are kept; some may count twice. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  private turn(): void {
    this.old = this.young;
    this.young = new Map();
    this.turnAt = this.now() + this.keepMs;
  }
}
