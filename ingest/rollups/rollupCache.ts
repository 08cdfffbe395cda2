import { RequestError } from "../http/errors";
import type { DayRange } from "@eventlogger/gcp/bigquery/dailyRollups";

/** Numbers at one moment. */
export type Snapshot<Numbers> = Numbers & {
  /** When the query was sent. */
  readonly asOf: Date;
};

export interface RollupCacheOptions<Numbers, Request> {
  /** Reads the numbers that a request asks for. */
  readonly read: (request: Request) => Promise<Readonly<Numbers>>;
  /** Maximum age of a returned snapshot, ms. */
  readonly ttlMs: number;
  /** Time limit of a query, ms. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
  /** Epoch ms. @default Date.now */
  readonly now?: () => number;
}

/** Maximum number of requests in the cache: a thousand days each, about 10 MB together, and 25 MB with the answers made of them. */
const MAX_RANGES = 64;
/** Maximum number of queries in flight, so that readers of many ranges cannot cause any number of them. */
const MAX_QUERIES = 8;

/**
 * Caches the last snapshot of each request for a short time. At most one query of a request that somebody waits for is in
 * flight.
 */
export class RollupCache<Numbers extends object, Request = DayRange> {
  /** By request; the one that was read first comes first. */
  private readonly snapshots = new Map<string, Snapshot<Numbers>>();
  private readonly reading = new Map<string, Promise<Snapshot<Numbers>>>();

  private readonly now: () => number;

  constructor(private readonly options: RollupCacheOptions<Numbers, Request>) {
    this.now = options.now ?? Date.now;
  }

  /** Number of requests in the cache. */
  get size(): number {
    return this.snapshots.size;
  }

  /**
   * @throws RequestError BIGQUERY_UNAVAILABLE when the query fails or takes too long, TOO_MANY_QUERIES while too many other
   * requests are being read.
   */
  async get(request: Request): Promise<Snapshot<Numbers>> {
    const key = JSON.stringify(request);
    const snapshot = this.snapshots.get(key);
    if (snapshot && this.now() - snapshot.asOf.getTime() < this.options.ttlMs) return snapshot;
    let reading = this.reading.get(key);
    if (reading === undefined) {
      if (this.reading.size >= MAX_QUERIES) throw new RequestError("TOO_MANY_QUERIES");
      reading = this.read(key, request).finally(() => this.reading.delete(key));
      this.reading.set(key, reading);
    }
    return reading;
  }

  private keep(key: string, snapshot: Snapshot<Numbers>): void {
    this.snapshots.delete(key);
    this.snapshots.set(key, snapshot);
    for (const oldest of this.snapshots.keys()) {
      if (this.snapshots.size <= MAX_RANGES) break;
      this.snapshots.delete(oldest);
    }
  }

  private async read(key: string, request: Request): Promise<Snapshot<Numbers>> {
    const asOf = new Date(this.now());
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.options;
      timer = setTimeout(() => reject(new Error(`No answer from BigQuery within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const snapshot = { ...(await Promise.race([this.options.read(request), timedOut])), asOf };
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
