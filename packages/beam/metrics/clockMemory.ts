/** What the clock and its thread share. */

/** Places in the shared memory. Times are in ms since the start of the clock, modulo 2^32. */
export const TIME = 0;
/** The time at which the event loop was free last. */
export const HEARTBEAT = 1;
/** What the process is doing; 0: nothing of a bundle. */
export const ACTIVITY = 2;

export interface ClockOptions {
  readonly memory: Int32Array;
  /** How often the time is written, ms. */
  readonly stepMs: number;
  /** What holds the event loop is reported after this time, and again after the same time; ms. */
  readonly lullMs: number;
}

/** A message to the thread. */
export interface NamedActivity {
  readonly id: number;
  readonly name: string;
}
