import { setTimeout as sleep } from "node:timers/promises";

/** Something took longer than its time limit. */
export class TimeoutError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TimeoutError";
  }
}

/** A duration for messages: `250 ms`, `1.5 s`. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Number((ms / 1000).toFixed(1))} s`;
}

export interface WaitOptions {
  /**
   * Time limit, ms. The condition is checked at least once; one that is still running at the limit does not hold.
   * @default 120_000
   */
  readonly timeoutMs?: number;
  /** Pause between two checks, ms; at least as long as the last check took, so that checks use half of the time at most. @default 50 */
  readonly intervalMs?: number;
  /**
   * Whether an error of the condition means "not yet". The last one is then part of the TimeoutError. By default an error
   * of the condition ends the wait.
   * @default false
   */
  readonly retryErrors?: boolean;
  /** Text for the end of the error message, such as the end of a log; called only when the time is over. */
  readonly details?: () => string;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Falsy = false | 0 | "" | null | undefined;

/**
 * Checks a condition until it holds.
 *
 * @param what names what the caller waits for, for the error message: `the data stream`, `2 workers`
 * @param condition may be asynchronous; any truthy value ends the wait
 * @returns the first truthy value of the condition
 * @throws TimeoutError with `what`, the time limit, the last error and the details
 */
export async function waitUntil<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 120_000, intervalMs = 50, retryErrors = false, details, signal }: WaitOptions = {},
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    try {
      const value = await beforeDeadline(condition, deadline);
      if (value) return value as Exclude<T, Falsy>;
      lastError = undefined;
    } catch (error) {
      if (!retryErrors) throw error;
      lastError = error;
    }
    const now = performance.now();
    const left = deadline - now;
    if (left <= 0) break;
    try {
      await sleep(Math.min(Math.max(intervalMs, now - startedAt), left), undefined, { signal });
    } catch {
      signal?.throwIfAborted();
    }
  }
  const reason = lastError === undefined ? "" : `; last error: ${errorMessage(lastError)}`;
  const text = details?.();
  throw new TimeoutError(
    `Timed out after ${formatDuration(timeoutMs)} waiting for ${what}${reason}${text ? `\n${text}` : ""}`,
    lastError === undefined ? undefined : { cause: lastError },
  );
}

/** The value of a condition; undefined when it is still running at the deadline. */
async function beforeDeadline<T>(condition: () => T | Promise<T>, deadline: number): Promise<T | undefined> {
  const value = condition();
  if (!(value instanceof Promise)) return value;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, deadline - performance.now(), undefined);
  });
  try {
    return await Promise.race([value, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Limits the time of an operation.
 *
 * @param work a promise, or a function that gets a signal, which is aborted when the time is over. Work that ignores the
 *   signal goes on; its result and its error are then dropped.
 * @param timeoutMs time limit, ms
 * @param what the operation, for the error message: `reading the table`
 * @throws TimeoutError when the time is over first; otherwise the error of the work
 */
export async function withTimeout<T>(
  work: Promise<T> | ((signal: AbortSignal) => Promise<T>),
  timeoutMs: number,
  what: string,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new TimeoutError(`Timed out after ${formatDuration(timeoutMs)}: ${what}`);
      reject(error); // before the abort, so that an error the abort causes does not win
      controller.abort(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([timeout, typeof work === "function" ? work(controller.signal) : work]);
  } finally {
    clearTimeout(timer);
  }
}
