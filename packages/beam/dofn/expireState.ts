/** Options of {@link expireState}. */
export interface ExpireStateOptions {
  /** How long the states of a key are kept after its last element, ms. They are cleared up to a tenth later. */
  readonly afterMs: number;
  /**
   * `event`: counted from the newest event time of the key's elements, by the watermark of the input. `processing`: counted
   * from the time at which the last element was processed, by the clock.
   */
  readonly time: "event" | "processing";
}

/** Declares when the states of a key expire. */
export type StateExpiry = Readonly<ExpireStateOptions>;

/**
 * Clears all states of a key and window some time after its last element, so that state in the global window does not grow
 * forever. Return it as `expire` from `declare`. Timers of the DoFn stay set. Windows other than the global one need no
 * expiry: the runner clears their state at the end of the window and its allowed lateness.
 * @throws RangeError when the time is not a positive number
 */
export function expireState({ afterMs, time }: ExpireStateOptions): StateExpiry {
  if (!(afterMs > 0) || !Number.isFinite(afterMs)) {
    throw new RangeError(`expireState: afterMs must be a positive number of milliseconds, not ${afterMs}`);
  }
  return { afterMs, time };
}
