import { grouped } from "@eventlogger/options/terminal";

const BAR_WIDTH = 20;

/** `1h 02m`, `3m 07s`, `12s`. @param seconds of time left */
export function timeLeft(seconds: number): string {
  const total = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  const two = (n: number): string => String(n).padStart(2, "0");
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  return minutes > 0 ? `${minutes}m ${two(total % 60)}s` : `${total}s`;
}

/** A bar for a share of 0 to 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
}

/**
 * Rows, rate and time left.
 * @param rate rows per second; 0: unknown
 */
export function rowsText({
  done,
  total,
  rate,
}: {
  readonly done: number;
  readonly total: number;
  readonly rate: number;
}): string {
  const left = rate > 0 && done < total ? `, ${timeLeft((total - done) / rate)} left` : "";
  return `${grouped(done)} of ${grouped(total)} rows${rate > 0 ? `, ${grouped(rate)}/s` : ""}${left}`;
}

/** Measures a rate over the last seconds, so that a change of speed shows soon. */
export class RateMeter {
  private readonly samples: (readonly [ms: number, count: number])[] = [];

  constructor(private readonly windowMs = 10_000) {}

  /** @param ms a time that only grows @param count a count that only grows @returns the rate per second; 0: unknown */
  add(ms: number, count: number): number {
    const { samples, windowMs } = this;
    const newest = samples[samples.length - 1];
    if (newest && count < newest[1]) samples.length = 0;
    samples.push([ms, count]);
    while (samples.length > 2 && (samples[1]?.[0] ?? ms) <= ms - windowMs) samples.shift();
    const [firstMs, firstCount] = samples[0] as readonly [number, number];
    return ms > firstMs ? ((count - firstCount) / (ms - firstMs)) * 1000 : 0;
  }
}
