/** Exponential backoff between attempts. */
export interface Backoff {
  /** Upper bound of the wait before the second attempt, ms; doubles with each further attempt. */
  readonly initialMs: number;
  /** Upper bound of every wait, ms. */
  readonly maxMs: number;
}

/**
 * The wait after `failures` failed attempts, ms: exponential with jitter, so that clients that failed together do not
 * retry together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The jitter is between a
 * quarter of the upper bound and the whole of it, so that a retry never follows immediately.
 * @param failures 1 or more
 * @param random a number in [0, 1)
 */
export function backoffMs(failures: number, { initialMs, maxMs }: Backoff, random: () => number = Math.random): number {
  const bound = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(bound * (0.25 + 0.75 * random()));
}
