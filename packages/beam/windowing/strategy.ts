import "../sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { sessions } from "apache-beam/transforms/windowings";
import type { WindowFn } from "apache-beam/transforms/window";
import type { IntervalWindow } from "apache-beam/values";
import { defaultTrigger } from "./triggers";

export interface WindowingOptions {
  /** Default: once, when the watermark passes the end of the window, and once for each late element. */
  readonly trigger?: runnerApi.Trigger;
  /** Whether a pane carries what earlier panes carried. Default: it carries only what is new (DISCARDING). */
  readonly accumulating?: boolean;
  /** How long after the end of the window late data is taken; ms. @default 0 */
  readonly allowedLatenessMs?: number;
  /**
   * Whether an on-time pane comes although nothing is new.
   * @default false; function combiners throw on an empty pane
   */
  readonly emitEmptyOnTimePane?: boolean;
}

/** The windowing strategy for `beam.windowInto(windowFn, strategy)`; output has the time of the window's end. */
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
 * Session windows: `[t, t + gap)`, merged where they intersect, so elements exactly the gap apart are in two sessions.
 * The SDK sends the gap to the runner in whole seconds and drops the rest, so the rest is refused here.
 *
 * @throws RangeError for a gap that is not a positive whole number of seconds
 */
export function sessionWindows(gapMs: number): WindowFn<IntervalWindow> {
  if (!Number.isInteger(gapMs / 1000) || gapMs <= 0) {
    throw new RangeError(`A session gap must be a positive whole number of seconds, not ${gapMs} ms`);
  }
  return sessions(gapMs / 1000);
}
