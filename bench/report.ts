import { cpus } from "node:os";
import type { LoadReport } from "@eventlogger/traffic/load/loadProcess";

const ms = (n: number): string => n.toFixed(1);

/** Describes the machine, which every figure depends on: the first line of a benchmark. */
export function machine(): string {
  return `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}`;
}

/** Answered requests per second. */
export function rate(report: LoadReport): number {
  return Math.round((report.requests * 1000) / report.elapsedMs);
}

/** CPU usage of the client. Near 100 % of a core the client was the limit, not the server. */
export function clientLoad(report: LoadReport): string {
  return `client used ${Math.round((100 * report.clientCpuMs) / report.elapsedMs)} % of a core`;
}

export function latency({ latency: { p50, p90, p99, max } }: LoadReport): string {
  return `p50 ${ms(p50)}  p90 ${ms(p90)}  p99 ${ms(p99)}  max ${ms(max)}`;
}

export function answers({ statuses }: LoadReport): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${count}`)
    .join("  ");
}

/** The median; of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** The smallest value that at least `p` percent of the values do not exceed; NaN without values. @param p 0 to 100 */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? NaN;
}
