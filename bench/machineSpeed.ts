import { median } from "./report";

/** Entries of the map that the work reads and writes: more than the caches of a core hold. */
const ENTRIES = 200_000;
const ROUNDS = 9;

/** A fixed piece of work: looks up, changes and sorts texts, as pipelines do. */
function work(entries: Map<string, number>, keys: readonly string[]): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[(i * 7919) % keys.length] as string;
    entries.set(key, (entries.get(key) ?? 0) + key.length);
  }
  keys.slice(0, 20_000).sort();
}

/**
 * How fast this machine is at the moment: the CPU time of a fixed piece of work, ms; the median of a second. Virtual machines on a shared host
 * become slower and faster from one minute to the next, so costs that are measured at different times are compared as multiples of it.
 */
export function referenceMs(): number {
  const keys = Array.from({ length: ENTRIES }, (_, i) => `user-${(i * 2_654_435_761) % 4_294_967_296}`);
  const entries = new Map<string, number>();
  work(entries, keys);
  const times = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    work(entries, keys);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return median(times);
}
