/**
 * Patches the window functions of the SDK (`fixedWindows`, `slidingWindows`, `sessions`):
 * - Windows before 1970 are wrong: an element at -1 s is put into [0 s, 10 s).
 * - The runner gets sizes in whole seconds; a size below one second is sent as 0 s.
 * - Sliding windows claim to assign each element to one window.
 */
import Long from "long";
import windowings = require("apache-beam/transforms/windowings");
import type { FunctionSpec } from "apache-beam/proto/beam_runner_api";
import {
  FixedWindowsPayload,
  SessionWindowsPayload,
  SlidingWindowsPayload,
} from "apache-beam/proto/standard_window_fns";
import { IntervalWindowCoder } from "apache-beam/coders/standard_coders";
import { requireForSerialization } from "apache-beam/serialization";
import type { WindowFn } from "apache-beam/transforms/window";
import { IntervalWindow, type Instant } from "apache-beam/values";

type Seconds = number | Long;

/** A duration in ms. @throws RangeError when it is not a whole number of ms */
function toMs(what: string, seconds: Seconds): number {
  const ms = typeof seconds === "number" ? seconds * 1000 : seconds.mul(1000).toNumber();
  const rounded = Math.round(ms);
  // A product such as 1.1 * 1000 is not exact.
  if (Number.isSafeInteger(rounded) && Math.abs(ms - rounded) < 1e-6) return rounded;
  throw new RangeError(`${what} must be a whole number of milliseconds, not ${String(seconds)} s`);
}

function positiveMs(what: string, seconds: Seconds): number {
  const ms = toMs(what, seconds);
  if (ms <= 0) throw new RangeError(`${what} must be positive, not ${String(seconds)} s`);
  return ms;
}

/** The remainder from 0 to `divisor` - 1, also of negative numbers. */
function floorMod(value: Long, divisor: Long): Long {
  const remainder = value.mod(divisor);
  return remainder.isNegative() ? remainder.add(divisor) : remainder;
}

const duration = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });

const spec = (name: string, payload: Uint8Array): FunctionSpec => ({ urn: `beam:window_fn:${name}:v1`, payload });

/** Instances are serialized: plain fields only. */
abstract class IntervalWindows implements WindowFn<IntervalWindow> {
  constructor(
    /** From which the SDK derives the name of the step. */
    readonly beamName: string,
    protected readonly sizeMs: number,
  ) {}

  protected window(start: Instant): IntervalWindow {
    return new IntervalWindow(start, start.add(this.sizeMs));
  }
  windowCoder(): IntervalWindowCoder {
    return new IntervalWindowCoder();
  }
  isMerging(): boolean {
    return false;
  }
  assignsToOneWindow(): boolean {
    return true;
  }
  abstract assignWindows(timestamp: Instant): IntervalWindow[];
  abstract toProto(): FunctionSpec;
}

class FixedWindows extends IntervalWindows {
  /** @param offsetMs from 0 to `sizeMs` - 1 */
  constructor(
    beamName: string,
    sizeMs: number,
    private readonly offsetMs: number,
  ) {
    super(beamName, sizeMs);
  }
  assignWindows(t: Instant): IntervalWindow[] {
    return [this.window(t.sub(floorMod(t.sub(this.offsetMs), Long.fromNumber(this.sizeMs))))];
  }
  toProto(): FunctionSpec {
    const payload = { size: duration(this.sizeMs), offset: duration(this.offsetMs) };
    return spec("fixed_windows", FixedWindowsPayload.toBinary(payload));
  }
}

class SlidingWindows extends IntervalWindows {
  /** @param offsetMs from 0 to `periodMs` - 1 */
  constructor(
    beamName: string,
    sizeMs: number,
    private readonly periodMs: number,
    private readonly offsetMs: number,
  ) {
    super(beamName, sizeMs);
  }
  assignWindows(t: Instant): IntervalWindow[] {
    const windows: IntervalWindow[] = [];
    let start = t.sub(floorMod(t.sub(this.offsetMs), Long.fromNumber(this.periodMs)));
    for (; t.lessThan(start.add(this.sizeMs)); start = start.sub(this.periodMs)) windows.push(this.window(start));
    return windows;
  }
  override assignsToOneWindow(): boolean {
    return this.sizeMs <= this.periodMs;
  }
  toProto(): FunctionSpec {
    const payload = { size: duration(this.sizeMs), period: duration(this.periodMs), offset: duration(this.offsetMs) };
    return spec("sliding_windows", SlidingWindowsPayload.toBinary(payload));
  }
}

class Sessions extends IntervalWindows {
  assignWindows(t: Instant): IntervalWindow[] {
    return [this.window(t)];
  }
  override isMerging(): boolean {
    return true;
  }
  toProto(): FunctionSpec {
    return spec("session_windows", SessionWindowsPayload.toBinary({ gapSize: duration(this.sizeMs) }));
  }
}

/** The offset of windows that begin every `periodMs`, from 0 to `periodMs` - 1. */
function normalized(offsetMs: number, periodMs: number): number {
  return floorMod(Long.fromNumber(offsetMs), Long.fromNumber(periodMs)).toNumber();
}

/** The name of a window function as the SDK writes it. */
function nameOf(name: string, parts: readonly Seconds[], offset: Seconds): string {
  const shown = Number(offset) === 0 ? parts : [...parts, offset];
  return `${name}(${shown.map(String).join(", ")})`;
}

/** The patched functions, which take the place of those of the SDK. */
const patched: Pick<typeof windowings, "fixedWindows" | "slidingWindows" | "sessions"> = {
  fixedWindows(size, offset = Long.ZERO) {
    const sizeMs = positiveMs("The size of fixed windows", size);
    const offsetMs = normalized(toMs("The offset of fixed windows", offset), sizeMs);
    return new FixedWindows(nameOf("fixedWindows", [size], offset), sizeMs, offsetMs);
  },
  slidingWindows(size, period, offset = Long.ZERO) {
    const sizeMs = positiveMs("The size of sliding windows", size);
    const periodMs = positiveMs("The period of sliding windows", period);
    const offsetMs = normalized(toMs("The offset of sliding windows", offset), periodMs);
    return new SlidingWindows(nameOf("slidingWindows", [size, period], offset), sizeMs, periodMs, offsetMs);
  },
  sessions(gap) {
    return new Sessions(nameOf("sessions", [gap], 0), positiveMs("The gap of sessions", gap));
  },
};

/** Patch `windows`. */
export function patchWindows(): void {
  Object.assign(windowings, patched);
  // A worker has the classes when it has loaded the module whose functions they replace.
  requireForSerialization("apache-beam/transforms/windowings", { FixedWindows, SlidingWindows, Sessions });
}
