import { RequestError } from "../http/errors";
import type { DailyRollup, DailyRollups, DayRange, RollupDefinitions } from "@eventlogger/gcp/bigquery/dailyRollups";

/** The daily rollups at one moment. */
export interface RollupSnapshot {
  /** Distinct users over all accepted events. */
  readonly totalUsers: number;
  /** As `read` returns them: ascending by date. */
  readonly days: readonly DailyRollup[];
  /** Undefined before the first start of the pipeline. */
  readonly definitions: RollupDefinitions | undefined;
  /** When the query was sent. */
  readonly asOf: Date;
}

export interface RollupCacheOptions {
  /** Reads the days of a range, ascending by date, and the users of all days. */
  readonly read: (range: DayRange) => Promise<Readonly<DailyRollups>>;
  /** Maximum age of a returned snapshot, ms. */
  readonly ttlMs: number;
  /** Time limit of a query, ms. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
  /** Epoch ms. @default Date.now */
  readonly now?: () => number;
}

/** Maximum number of ranges in the cache: a thousand days each, about 10 MB together. */
const MAX_RANGES = 64;
/** Maximum number of queries in flight, so that readers of many ranges cannot cause any number of them. */
const MAX_QUERIES = 8;

/**
 * Caches the last snapshot of each range for a short time. At most one query of a range that somebody waits for is in
 * flight.
 */
export class RollupCache {
  /** By range; the one that was read first comes first. */
  private readonly snapshots = new Map<string, RollupSnapshot>();
  private readonly reading = new Map<string, Promise<RollupSnapshot>>();

  private readonly now: () => number;

  constructor(private readonly options: RollupCacheOptions) {
    this.now = options.now ?? Date.now;
  }

  /** Number of ranges in the cache. */
  get size(): number {
    return this.snapshots.size;
  }

  /**
   * @throws RequestError BIGQUERY_UNAVAILABLE when the query fails or takes too long, TOO_MANY_QUERIES while too many other
   * ranges are being read.
   */
  async get(range: DayRange): Promise<RollupSnapshot> {
    const key = `${range.from} ${range.to}`;
    const snapshot = this.snapshots.get(key);
    if (snapshot && this.now() - snapshot.asOf.getTime() < this.options.ttlMs) return snapshot;
    let reading = this.reading.get(key);
    if (reading === undefined) {
      if (this.reading.size >= MAX_QUERIES) throw new RequestError("TOO_MANY_QUERIES");
      reading = this.read(key, range).finally(() => this.reading.delete(key));
      this.reading.set(key, reading);
    }
    return reading;
  }

  private keep(key: string, snapshot: RollupSnapshot): void {
    this.snapshots.delete(key);
    this.snapshots.set(key, snapshot);
    for (const oldest of this.snapshots.keys()) {
      if (this.snapshots.size <= MAX_RANGES) break;
      this.snapshots.delete(oldest);
    }
  }

  private async read(key: string, range: DayRange): Promise<RollupSnapshot> {
    const asOf = new Date(this.now());
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.options;
      timer = setTimeout(() => reject(new Error(`No answer from BigQuery within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const { total_users, days, definitions } = await Promise.race([this.options.read(range), timedOut]);
      const snapshot = { totalUsers: total_users, days, definitions, asOf };
      this.keep(key, snapshot);
      return snapshot;
    } catch (cause) {
      this.options.onError(cause);
      throw new RequestError("BIGQUERY_UNAVAILABLE", { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
