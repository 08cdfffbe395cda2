/**
 * Counters of a worker process, reported to its pool about every second. Unlike Beam metrics they can be read while an
 * unbounded job runs. They count attempts: what a failed bundle counted stays counted.
 */
const counters: Record<string, number> = {};

/** Start of a line on a worker's standard output that carries its counters. */
export const COUNTERS_LINE = "@counters ";

/** Adds to a counter of this process. */
export function count(name: string, n = 1): void {
  counters[name] = (counters[name] ?? 0) + n;
}

/** Sets a counter that is a level, such as a memory size. */
export function gauge(name: string, value: number): void {
  counters[name] = value;
}

/** Prints the counters whenever they have changed. */
export function reportCounters(everyMs: number, update: () => void): void {
  let last = "";
  setInterval(() => {
    update();
    const line = COUNTERS_LINE + JSON.stringify(counters);
    if (line !== last) console.info(line);
    last = line;
  }, everyMs).unref();
}
