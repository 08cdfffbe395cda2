import { RequestError } from "../http/errors";
import type { DailyRollup } from "@eventlogger/gcp/bigquery/dailyRollups";

/** The daily rollups at one moment. */
export interface RollupSnapshot {
  /** Distinct users over all accepted events. */
  readonly totalUsers: number;
  /** As `read` returns them: ascending by date. */
  readonly days: readonly DailyRollup[];
  /** When the query was sent. */
  readonly asOf: Date;
}

export interface RollupCacheOptions {
  /** Reads all days, ascending by date. */
  readonly read: () => Promise<{ readonly total_users: number; readonly days: readonly DailyRollup[] }>;
  /** Maximum age of a returned snapshot, ms. */
  readonly ttlMs: number;
  /** Time limit of a query, ms. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
  /** Epoch ms. @default Date.now */
  readonly now?: () => number;
}

/** Caches the last snapshot for a short time. At most one query that somebody waits for is in flight. */
export class RollupCache {
  private snapshot: RollupSnapshot | undefined;
  private reading: Promise<RollupSnapshot> | undefined;

  private readonly now: () => number;

  constructor(private readonly options: RollupCacheOptions) {
    this.now = options.now ?? Date.now;
  }

  /** @throws RequestError BIGQUERY_UNAVAILABLE when the query fails or takes too long. */
  get(): Promise<RollupSnapshot> {
    if (this.snapshot && this.now() - this.snapshot.asOf.getTime() < this.options.ttlMs) {
      return Promise.resolve(this.snapshot);
    }
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<RollupSnapshot> {
    const asOf = new Date(this.now());
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.options;
      timer = setTimeout(() => reject(new Error(`No answer from BigQuery within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const { total_users, days } = await Promise.race([this.options.read(), timedOut]);
      this.snapshot = { totalUsers: total_users, days, asOf };
      return this.snapshot;
    } catch (cause) {
      this.options.onError(cause);
      throw new RequestError("BIGQUERY_UNAVAILABLE", { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
