import "../sdk";
import Long from "long";
import type { FunctionSpec } from "apache-beam/proto/beam_runner_api";
import type { Duration } from "apache-beam/proto/google/protobuf/duration";
import { FixedWindowsPayload, SlidingWindowsPayload } from "apache-beam/proto/standard_window_fns";
import { GlobalWindow, IntervalWindow, type Window } from "apache-beam/values";

const GLOBAL = "beam:window_fn:global_windows:v1";
const FIXED = "beam:window_fn:fixed_windows:v1";
const SLIDING = "beam:window_fn:sliding_windows:v1";

/** Whether a windowed collection can be a side input. */
export function canBeSideInput(windowFn: FunctionSpec | undefined): boolean {
  return windowFn !== undefined && [GLOBAL, FIXED, SLIDING].includes(windowFn.urn);
}

function ms(duration: Duration | undefined): Long {
  if (!duration) return Long.ZERO;
  const { seconds, nanos } = duration;
  return Long.fromString(seconds.toString())
    .mul(1000)
    .add(Math.floor(nanos / 1_000_000));
}

/** The start of the last window of a period that contains a time. */
function lastStart(time: Long, period: Long, offset: Long): Long {
  const rest = time.sub(offset).mod(period);
  return time.sub(rest.isNegative() ? rest.add(period) : rest);
}

/**
 * The window of a side input that belongs to a window of the main input: the earliest one that contains the end of the main
 * window, as in Beam's other SDKs.
 * @param windowFn the window function of the side input
 * @throws Error for a side input whose windows are not global, fixed or sliding, and for a side input in windows when the
 *   main input is in the global window
 */
export function sideInputWindowOf(windowFn: FunctionSpec, mainWindow: Window): Window {
  if (windowFn.urn === GLOBAL) return new GlobalWindow();
  if (mainWindow instanceof GlobalWindow) throw new Error("The global window has no window of a windowed side input");
  const time = mainWindow.maxTimestamp();
  if (windowFn.urn === FIXED) {
    const payload = FixedWindowsPayload.fromBinary(windowFn.payload);
    const size = ms(payload.size);
    const start = lastStart(time, size, offsetOf(payload.offset));
    return new IntervalWindow(start, start.add(size));
  }
  if (windowFn.urn === SLIDING) {
    const payload = SlidingWindowsPayload.fromBinary(windowFn.payload);
    const size = ms(payload.size);
    const period = ms(payload.period);
    const start = lastStart(time.sub(size), period, offsetOf(payload.offset)).add(period);
    return new IntervalWindow(start, start.add(size));
  }
  throw new Error(`A collection with the windows ${windowFn.urn} cannot be a side input`);
}

/** The offset of windows is a timestamp in the proto. */
function offsetOf(offset: { seconds: bigint; nanos: number } | undefined): Long {
  return ms(offset);
}
