/**
 * Counters of a worker process, which reports them to its pool about once a second. Unlike Beam metrics they can be read
 * while an unbounded job runs. They count attempts: a failed bundle is not subtracted.
 */
const counters: Record<string, number> = {};

/** Prefix of a line on a worker's standard output that contains its counters as JSON. */
export const COUNTERS_LINE = "@counters ";

/** Adds `n` to a counter of this process. */
export function count(name: string, n = 1): void {
  counters[name] = (counters[name] ?? 0) + n;
}

/** Sets a counter of this process to a value, such as a memory size. */
export function gauge(name: string, value: number): void {
  counters[name] = value;
}

/**
 * Prints the counters every `everyMs` ms when they have changed.
 * @param update called before; sets gauges
 */
export function reportCounters(everyMs: number, update: () => void): void {
  let last = "";
  setInterval(() => {
    update();
    const line = COUNTERS_LINE + JSON.stringify(counters);
    if (line !== last) console.info(line);
    last = line;
  }, everyMs).unref();
}
