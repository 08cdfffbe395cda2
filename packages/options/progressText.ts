import { grouped } from "./terminal";

/** Characters of the bar. */
const WIDTH = 20;

export interface ProgressState {
  readonly done: number;
  /** The number that `done` will reach; work that turns out to be more shows 100 %. */
  readonly total: number;
  /** What is counted, in the plural: `rows`. */
  readonly unit: string;
  /** Time since the start, ms. */
  readonly elapsedMs: number;
}

/** `45 s`, `12 min`, `3 h 20 min`. */
function timeText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A bar with the share that is done, the numbers, the rate and the time left: `[####----] 50 %  500 of 1,000 rows, 100/s, 5 s left`. */
export function progressText({ done, total, unit, elapsedMs }: ProgressState): string {
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.floor(share * WIDTH);
  const bar = `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %`;
  const rate = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const left = rate > 0 && share < 1 ? `, ${timeText((total - done) / rate)} left` : "";
  return `${bar}  ${grouped(done)} of ${grouped(total)} ${unit}, ${grouped(rate)}/s${left}`;
}
