import "../sdk";
import { TimeDomain_Enum } from "apache-beam/proto/beam_runner_api";

/** Declares a family of timers of a DoFn. */
export interface TimerDeclaration {
  readonly domain: "event" | "processing";
}

/** Timers by name. */
export type TimerDeclarations = Readonly<Record<string, TimerDeclaration>>;

/** Declares timers that fire when the watermark of the input passes their time. */
export function eventTimer(): TimerDeclaration {
  return { domain: "event" };
}

/** Declares timers that fire when the clock of the runner passes their time. */
export function processingTimer(): TimerDeclaration {
  return { domain: "processing" };
}

/** The time domain in the proto of the Beam model. */
export function timeDomain({ domain }: TimerDeclaration): TimeDomain_Enum {
  return domain === "event" ? TimeDomain_Enum.EVENT_TIME : TimeDomain_Enum.PROCESSING_TIME;
}

/** How a timer is set. */
export interface TimerOptions {
  /** Tells timers of one family apart: a key and window has one timer for each tag. @default "" */
  readonly tag?: string;
  /**
   * Event time of the outputs of `onTimer`, epoch ms. Until the timer fires, the watermark of the output waits for it.
   * `"none"`: the watermark does not wait, and an output of `onTimer` without a time is an error.
   * @default the time of a timer in event time; the time of the element for a timer in processing time
   */
  readonly outputTimestampMs?: number | "none";
}

/** Sets and clears a timer of the current key and window. A timer that is set again replaces the earlier one. */
export interface Timer {
  /**
   * Sets the timer.
   * @param timeMs epoch ms
   * @throws RangeError for a time that is not in the range of the Beam model, for a time in event time after the end of the
   *   window and its allowed lateness, and for an output timestamp after that end or after the time of a timer in event time
   */
  set(timeMs: number, options?: TimerOptions): void;
  /**
   * Sets the timer a while after now, in processing time, or after the element or timer that is processed, in event time.
   * A timer in event time fires at the end of the window and its allowed lateness at the latest.
   * @param afterMs ms
   */
  setRelative(afterMs: number, options?: TimerOptions): void;
  /** Sets a timer in event time to the end of the window. */
  setToWindowEnd(options?: TimerOptions): void;
  /** Clears the timer: it does not fire. */
  clear(tag?: string): void;
}
