/**
 * A clock that costs one read of memory. The execution time of steps is measured at each call of a step, many times for
 * each element: there the clocks of Node, 40 ns, would be the largest cost. As the samplers of Beam's other SDKs, a thread
 * writes the time, so that the time also passes while a step holds the event loop.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";

/** How exact the clock is, ms. */
export const CLOCK_STEP_MS = 20;

const time = new Int32Array(new SharedArrayBuffer(4));
let thread: Worker | undefined;

/** Starts the clock of this process, unless it runs. It does not keep the process alive. */
export function startClock(): void {
  if (thread) return;
  thread = new Worker(path.join(__dirname, "clockThread.js"), {
    workerData: { time, stepMs: CLOCK_STEP_MS },
    // It needs next to nothing; the flags of the process may be those of a large heap.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  // Without the thread, execution times are not measured.
  thread.on("error", () => {});
  thread.unref();
}

/** The time in ms since the clock was started, modulo 2^32; compare times with {@link msBetween}. */
export function clockNow(): number {
  return time[0] as number;
}

/** ms between two times of {@link clockNow}, at most 24 days apart. */
export function msBetween(from: number, to: number): number {
  return (to - from) | 0;
}
