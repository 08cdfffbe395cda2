import "../sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { sessions } from "apache-beam/transforms/windowings";
import type { WindowFn } from "apache-beam/transforms/window";
import type { IntervalWindow } from "apache-beam/values";
import { defaultTrigger } from "./triggers";

export interface WindowingOptions {
  /** Default: fires when the watermark passes the end of the window, and for each late element. */
  readonly trigger?: runnerApi.Trigger;
  /** Whether a pane repeats the elements of earlier panes. @default false (DISCARDING) */
  readonly accumulating?: boolean;
  /** How long after the end of a window its late data is accepted, ms. @default 0 */
  readonly allowedLatenessMs?: number;
  /**
   * Whether the on-time pane fires without new elements.
   * @default false, because combiners throw on an empty pane
   */
  readonly emitEmptyOnTimePane?: boolean;
}

/** The windowing strategy for `windowInto(windowFn, strategy)`. Output has the timestamp of the end of its window. */
export function windowingStrategy(options: WindowingOptions): runnerApi.WindowingStrategy {
  return runnerApi.WindowingStrategy.create({
    trigger: options.trigger ?? defaultTrigger(),
    accumulationMode: options.accumulating
      ? runnerApi.AccumulationMode_Enum.ACCUMULATING
      : runnerApi.AccumulationMode_Enum.DISCARDING,
    outputTime: runnerApi.OutputTime_Enum.END_OF_WINDOW,
    closingBehavior: runnerApi.ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
    onTimeBehavior: options.emitEmptyOnTimePane
      ? runnerApi.OnTimeBehavior_Enum.FIRE_ALWAYS
      : runnerApi.OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
    allowedLateness: BigInt(options.allowedLatenessMs ?? 0),
    environmentId: "jsEnvironment",
  });
}

/**
 * Session windows: `[t, t + gap)`, merged where they intersect. Elements exactly the gap apart are in different sessions.
 *
 * @param gapMs whole ms
 * @throws RangeError for a gap that is not a positive whole number of milliseconds
 */
export function sessionWindows(gapMs: number): WindowFn<IntervalWindow> {
  if (!Number.isInteger(gapMs) || gapMs <= 0) {
    throw new RangeError(`A session gap must be a positive whole number of milliseconds, not ${gapMs} ms`);
  }
  return sessions(gapMs / 1000);
}
