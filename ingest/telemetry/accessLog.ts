import type { Logger } from "pino";
import { TokenBucket } from "../access/tokenBuckets";
import type { ErrorCode } from "../http/errors";
import { PROBES, type RoutePattern } from "../http/routePattern";

/** off: nothing; problems: what failed here (5xx) and what was slow, but for probes; all: every request. */
export const ACCESS_LOG_MODES = ["off", "problems", "all"] as const;
export type AccessLogMode = (typeof ACCESS_LOG_MODES)[number];

/** An answered request. Nothing in it was written by a client but the id, nothing says who the client is. */
export interface AccessRecord {
  readonly requestId: string;
  readonly method: string;
  /** The pattern, not the path: that may hold anything. */
  readonly route: RoutePattern;
  readonly status: number;
  readonly durationMs: number;
  /** Of the error that was answered. */
  readonly error: ErrorCode | undefined;
  /** Name of the key that was presented. */
  readonly key: string | undefined;
}

export interface AccessLogOptions {
  readonly mode: AccessLogMode;
  /** Requests that took at least this are slow, ms. */
  readonly slowMs: number;
  readonly logger: Logger;
  /** ms, not going back. */
  readonly now?: () => number;
}

/** Lines about problems: some at once, then one a second. During an outage every request is one; metrics count them. */
export const PROBLEM_LINES = { perSec: 1, burst: 20 };

/** One line of JSON a request. */
export class AccessLog {
  private readonly now: () => number;
  private readonly lines: TokenBucket;
  private unlogged = 0;

  constructor(private readonly options: AccessLogOptions) {
    this.now = options.now ?? (() => performance.now());
    this.lines = new TokenBucket(PROBLEM_LINES, this.now());
  }

  /** Whether a request gets a line; asked first, so that no record is made for those that get none. */
  wants(route: RoutePattern, status: number, durationMs: number): boolean {
    const { mode } = this.options;
    if (mode !== "problems") return mode === "all";
    // A probe that fails says nothing new: what is wrong then is logged by itself.
    return this.isProblem(status, durationMs) && !PROBES.has(route);
  }

  write(record: AccessRecord): void {
    const { mode, logger } = this.options;
    const line = { ...record, durationMs: Math.round(record.durationMs * 10) / 10 };
    if (!this.isProblem(record.status, record.durationMs)) logger.info(line, "request");
    else if (mode === "all") logger.warn(line, "request");
    else this.writeBounded(line);
  }

  private isProblem(status: number, durationMs: number): boolean {
    return status >= 500 || durationMs >= this.options.slowMs;
  }

  private writeBounded(line: AccessRecord): void {
    if (this.lines.waitSec(this.now()) > 0) {
      this.unlogged++;
      return;
    }
    this.lines.charge(1);
    this.options.logger.warn(this.unlogged > 0 ? { ...line, unlogged: this.unlogged } : line, "request");
    this.unlogged = 0;
  }
}
