/**
 * A clock that costs one read of memory. The execution time of steps is measured at each call of a step, many times for
 * each element: there the clocks of Node, 40 ns, would be the largest cost. As the samplers of Beam's other SDKs, a thread
 * writes the time, so that the time also passes while a step holds the event loop. The thread reports such a step.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { ACTIVITY, HEARTBEAT, TIME, type ClockOptions, type NamedActivity } from "./clockMemory";

/** How exact the clock is, ms. */
export const CLOCK_STEP_MS = 50;
const HEARTBEAT_EVERY_MS = 1000;

const memory = new Int32Array(new SharedArrayBuffer(12));
let thread: Worker | undefined;
const activities = new Map<string, number>();

/**
 * Starts the clock of this process, unless it runs. It does not keep the process alive.
 * @param lullMs what holds the event loop is reported after this time, on standard error
 */
export function startClock(lullMs: number): void {
  if (thread) return;
  thread = new Worker(path.join(__dirname, "clockThread.js"), {
    workerData: { memory, stepMs: CLOCK_STEP_MS, lullMs } satisfies ClockOptions,
    // It needs next to nothing; the flags of the process may be those of a large heap.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  // Without the thread, execution times are not measured.
  thread.on("error", () => {});
  thread.unref();
  setInterval(() => (memory[HEARTBEAT] = clockNow()), HEARTBEAT_EVERY_MS).unref();
}

/** The time in ms since the clock was started, modulo 2^32; compare times with {@link msBetween}. */
export function clockNow(): number {
  return memory[TIME] as number;
}

/** ms between two times of {@link clockNow}, at most 24 days apart. */
export function msBetween(from: number, to: number): number {
  return (to - from) | 0;
}

/** A number for something that may hold the event loop, for {@link setActivity}. The clock must have been started. */
export function newActivity(name: string): number {
  let id = activities.get(name);
  if (id === undefined) {
    activities.set(name, (id = activities.size + 1));
    thread?.postMessage({ id, name } satisfies NamedActivity);
  }
  return id;
}

/** Tells the thread what this process is doing; 0: nothing of a bundle. */
export function setActivity(id: number): void {
  memory[ACTIVITY] = id;
}
