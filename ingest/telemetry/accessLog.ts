import type { Logger } from "pino";
import { TokenBucket } from "../access/rates/tokenBuckets";
import type { ErrorCode } from "../http/errors";
import { PROBES, type RoutePattern } from "../http/routePattern";

/** off: nothing; problems: 5xx and slow requests, except probes; all: every request. */
export const ACCESS_LOG_MODES = ["off", "problems", "all"] as const;
export type AccessLogMode = (typeof ACCESS_LOG_MODES)[number];

/** An answered request. Only the id comes from the client, and nothing identifies the client. */
export interface AccessRecord {
  readonly requestId: string;
  readonly method: string;
  /** The route, not the path, which may contain anything. */
  readonly route: RoutePattern;
  readonly status: number;
  readonly durationMs: number;
  /** Code of the error in the answer. */
  readonly error: ErrorCode | undefined;
  /** Name of the presented key. */
  readonly key: string | undefined;
}

export interface AccessLogOptions {
  readonly mode: AccessLogMode;
  /** Duration from which a request is slow, ms. */
  readonly slowMs: number;
  readonly logger: Logger;
  /** Monotonic time, ms. */
  readonly now?: () => number;
}

/** Rate limit of lines about problems. During an outage every request is a problem; metrics count all of them. */
export const PROBLEM_LINES = { perSec: 1, burst: 20 };

/** Writes one line of JSON per request. */
export class AccessLog {
  private readonly now: () => number;
  private readonly lines: TokenBucket;
  private unlogged = 0;

  constructor(private readonly options: AccessLogOptions) {
    this.now = options.now ?? (() => performance.now());
    this.lines = new TokenBucket(PROBLEM_LINES, this.now());
  }

  /** Whether a request is logged. Asked first, so that no record is created for the others. */
  wants(route: RoutePattern, status: number, durationMs: number): boolean {
    const { mode } = this.options;
    if (mode !== "problems") return mode === "all";
    // The reason for a failing probe is logged elsewhere.
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
