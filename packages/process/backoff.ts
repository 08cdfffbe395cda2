/** How long to wait before the next attempt. */
export interface Backoff {
  /** Longest wait before the second attempt, in ms; doubles with each further one. */
  readonly initialMs: number;
  /** Longest wait of all, in ms. */
  readonly maxMs: number;
}

/**
 * The wait after `failures` failed attempts: exponential with full jitter, so that writers that failed together do not
 * come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). At least a quarter of
 * the longest wait, so that it is a wait.
 */
export function backoffMs(failures: number, { initialMs, maxMs }: Backoff, random: () => number = Math.random): number {
  const longest = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(longest * (0.25 + 0.75 * random()));
}
