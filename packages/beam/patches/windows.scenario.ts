import "../sdk";
import Long from "long";
import { Pipeline } from "apache-beam/internal/pipeline";
import { deserializeFn, serializeFn } from "apache-beam/internal/serialize";
import {
  FixedWindowsPayload,
  SessionWindowsPayload,
  SlidingWindowsPayload,
} from "apache-beam/proto/standard_window_fns";
import { fixedWindows, sessions, slidingWindows } from "apache-beam/transforms/windowings";
import { createWindowingStrategyProto, type WindowFn } from "apache-beam/transforms/window";
import type { IntervalWindow } from "apache-beam/values";

/** A window as `[start, end]`, ms. */
export type Range = readonly [start: number, end: number];

/** The windows of an event time in ms, as a worker assigns them. */
export function windowsOf(windowFn: WindowFn<IntervalWindow>, timeMs: number): Range[] {
  const inWorker = (deserializeFn(serializeFn({ windowFn })) as { windowFn: WindowFn<IntervalWindow> }).windowFn;
  return inWorker
    .assignWindows(Long.fromNumber(timeMs))
    .map(({ start, end }) => [start.toNumber(), end.toNumber()] as const);
}

const ms = (duration?: { seconds: bigint; nanos: number }): number =>
  Number(duration?.seconds) * 1000 + (duration?.nanos ?? 0) / 1e6;

const payload = (windowFn: WindowFn<IntervalWindow>): Uint8Array => windowFn.toProto().payload;

/** Whether a runner is told that an element is in one window only. */
const inOneWindow = (windowFn: WindowFn<IntervalWindow>): boolean =>
  createWindowingStrategyProto(new Pipeline(), windowFn).assignsToOneWindow;

export const scenarios = {
  before1970: async () => [windowsOf(fixedWindows(10), -1000), windowsOf(slidingWindows(10, 5), -1000)],
  sizes: async () => {
    const sliding = SlidingWindowsPayload.fromBinary(payload(slidingWindows(0.25, 0.125)));
    return [
      ms(FixedWindowsPayload.fromBinary(payload(fixedWindows(1.5))).size),
      ms(sliding.size),
      ms(sliding.period),
      ms(SessionWindowsPayload.fromBinary(payload(sessions(0.1))).gapSize),
    ];
  },
  inOneWindow: async () => [inOneWindow(slidingWindows(10, 5)), inOneWindow(slidingWindows(5, 5))],
};
