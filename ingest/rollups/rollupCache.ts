import { RequestError } from "../http/errors";
import type { DailyRollup } from "@eventlogger/gcp/bigquery/dailyRollups";

/** The daily rollups as they were at one moment. */
export interface RollupSnapshot {
  /** Distinct users over all accepted events. */
  readonly totalUsers: number;
  /** Ascending. */
  readonly days: readonly DailyRollup[];
  /** When the query was sent. */
  readonly asOf: Date;
}

export interface RollupCacheOptions {
  readonly read: () => Promise<{ readonly total_users: number; readonly days: readonly DailyRollup[] }>;
  /** How old a snapshot may be when it is handed out, ms. */
  readonly ttlMs: number;
  /** How long a query may take, ms. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
}

/** Keeps the last snapshot for a short time, and never has more than one query under way that somebody waits for. */
export class RollupCache {
  private snapshot: RollupSnapshot | undefined;
  private reading: Promise<RollupSnapshot> | undefined;

  constructor(private readonly options: RollupCacheOptions) {}

  /** @throws RequestError BIGQUERY_UNAVAILABLE when the query fails or takes too long. */
  get(): Promise<RollupSnapshot> {
    if (this.snapshot && Date.now() - this.snapshot.asOf.getTime() < this.options.ttlMs) {
      return Promise.resolve(this.snapshot);
    }
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<RollupSnapshot> {
    const asOf = new Date();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.options;
      timer = setTimeout(() => reject(new Error(`No answer from BigQuery within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const { total_users, days } = await Promise.race([this.options.read(), tooLate]);
      const ascending = [...days].sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));
      this.snapshot = { totalUsers: total_users, days: ascending, asOf };
      return this.snapshot;
    } catch (cause) {
      this.options.onError(cause);
      throw new RequestError("BIGQUERY_UNAVAILABLE", { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}
