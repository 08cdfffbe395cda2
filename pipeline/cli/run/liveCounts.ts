import type { FlinkRun } from "@eventlogger/beam";
import { grouped, type LiveLine } from "@eventlogger/options/terminal";
import type { RunMonitor } from "../../monitoring/runMonitor";

function status(counters: Readonly<Record<string, number>>, seconds: number, rate: number, restarts: number): string {
  const n = (name: string): string => grouped(counters[name] ?? 0);
  const replayed = counters["replayedEvents"] ? `, ${n("replayedEvents")} replayed` : "";
  const dead = counters["deadLetters"] ? `, ${n("deadLetters")} dead letters` : "";
  const failed = counters["worker.failedBundles"] ? `, ${n("worker.failedBundles")} failed bundles` : "";
  const restarted = restarts ? `, ${grouped(restarts)} restarts of the job` : "";
  return `${grouped(seconds)} s  ${n("events")} events (${grouped(rate)}/s)${replayed}, ${n("rollupVersions")} rollup versions${dead}${failed}${restarted}`;
}

/** Draws the live line. @returns a function that removes it */
export function showCounts(run: FlinkRun, line: LiveLine, monitor: RunMonitor): () => void {
  const startedAt = performance.now();
  let last = 0;
  const timer = setInterval(() => {
    const events = run.workers.counters["events"] ?? 0;
    const rate = events - last;
    last = events;
    const text = (): string =>
      status(run.workers.counters, (performance.now() - startedAt) / 1000, rate, monitor.restarts);
    line.draw(() => [text(), ...monitor.problems()].join("; "));
  }, 1000);
  return () => {
    clearInterval(timer);
    line.clear();
  };
}
