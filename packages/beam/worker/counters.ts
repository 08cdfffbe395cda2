/**
 * Counters of a worker process, which reports them to its pool about once a second: they can be read while an unbounded job
 * runs on any runner that uses the pool. They count attempts: a failed bundle is not subtracted.
 */
import { counter, type Counter } from "../metrics/userMetrics";

const metrics = new Map<string, Counter>();
const counters: Record<string, number> = {};

/** Prefix of a line on a worker's standard output that contains its counters as JSON. */
export const COUNTERS_LINE = "@counters ";

/** Prefix of a line with the gauges of {@link gaugeFrom} as JSON. */
export const GAUGES_LINE = "@gauges ";

/** Prefix of a line with a {@link Failure} as JSON. */
export const FAILURE_LINE = "@failure ";

/** Something that failed in a worker and is tried again. */
export interface Failure {
  /** What failed, the same text each time: `a bundle`, `writing to BigQuery table events`. */
  readonly what: string;
  /** The error. Contains no data of events. */
  readonly error: string;
}

const gauges = new Map<string, () => number | undefined>();
let isReporting = false;

/**
 * Adds `n` to a counter of this process. Within a bundle, it is also a Beam metric of the step that is executing, which
 * counts bundles that succeed.
 */
export function count(name: string, n = 1): void {
  let metric = metrics.get(name);
  if (!metric) metrics.set(name, (metric = counter(name)));
  metric.inc(n);
  counters[name] = (counters[name] ?? 0) + n;
}

/** Sets a counter of this process to a value, such as a memory size. */
export function gauge(name: string, value: number): void {
  counters[name] = value;
}

/**
 * Adds a gauge that is read at each report. The pool shows the highest value among its running workers.
 * @param read undefined: the value is not known
 * @returns removes the gauge
 */
export function gaugeFrom(name: string, read: () => number | undefined): () => void {
  gauges.set(name, read);
  return () => {
    if (gauges.get(name) === read) gauges.delete(name);
  };
}

/** The current values of all gauges; undefined: not known. */
export function gaugeValues(): Record<string, number | undefined> {
  return Object.fromEntries([...gauges].map(([name, read]) => [name, read()]));
}

/** Reports a failure to the pool; its error in one line, shortened. */
export function reportFailure({ what, error }: Failure): void {
  if (!isReporting) return;
  const line = error.replace(/\s+/g, " ");
  console.info(FAILURE_LINE + JSON.stringify({ what, error: line.slice(0, 500) } satisfies Failure));
}

/**
 * Prints the counters every `everyMs` ms when they have changed.
 * @param update called before; sets gauges
 */
export function reportCounters(everyMs: number, update: () => void): void {
  let last = "";
  let hadGauges = false;
  isReporting = true;
  setInterval(() => {
    update();
    if (gauges.size || hadGauges) {
      console.info(GAUGES_LINE + JSON.stringify(gaugeValues()));
    }
    hadGauges = gauges.size > 0;
    const line = COUNTERS_LINE + JSON.stringify(counters);
    if (line !== last) console.info(line);
    last = line;
  }, everyMs).unref();
}
