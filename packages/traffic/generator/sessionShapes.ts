import type { Random } from "./random";

/** The times of a session's events relative to its start. */
export interface SessionShape {
  /** Ascending, in milliseconds; the first is 0. */
  readonly offsets: number[];
  /** Index of the event that joins two sessions and is sent after both. */
  readonly bridge?: number;
}

/** Mean time between two events of a session, unless the session gap requires less. */
const MEAN_PAUSE_MS = 45_000;
/** Limits the size of a session relative to the mean, so that no session dominates the traffic. */
const MAX_TIMES_MEAN = 40;

/**
 * A heavy-tailed number of events, at least 1, with approximately the given mean: 1 + Lomax (Pareto II) with shape 2, whose
 * mean is its scale.
 */
export function eventCount(random: Random, mean: number): number {
  if (mean === 1) return 1;
  const scale = mean - 0.5; // rounding down loses half an event on average
  const count = 1 + Math.floor(scale * (1 / Math.sqrt(1 - random.float()) - 1));
  return Math.min(count, Math.ceil(mean * MAX_TIMES_MEAN));
}

/** `count` ascending times from `start` on, neighbours less than half the gap apart. */
function run(random: Random, count: number, start: number, gapMs: number): number[] {
  const longest = Math.floor(gapMs / 2) - 1;
  const offsets = [start];
  for (let at = start; offsets.length < count; offsets.push(at)) {
    at += Math.min(Math.round(random.exponential(Math.min(MEAN_PAUSE_MS, gapMs / 4))), longest);
  }
  return offsets;
}

/** One session of `count` events. */
export function plainShape(random: Random, count: number, gapMs: number): SessionShape {
  return { offsets: run(random, count, 0, gapMs) };
}

/** Two runs of events: exactly the gap apart (two sessions), or a millisecond less (one session). */
export function gapEdgeShape(random: Random, count: number, gapMs: number): SessionShape {
  const first = run(random, Math.ceil(count / 2), 0, gapMs);
  const next = (first[first.length - 1] ?? 0) + (random.chance(0.5) ? gapMs : gapMs - 1);
  return { offsets: [...first, ...run(random, Math.max(1, Math.floor(count / 2)), next, gapMs)] };
}

/** Two sessions, and an event between them less than the gap away from both. */
export function bridgeShape(random: Random, count: number, gapMs: number): SessionShape {
  const first = run(random, Math.max(1, Math.floor((count - 1) / 2)), 0, gapMs);
  const last = first[first.length - 1] ?? 0;
  const apart = gapMs + random.int(gapMs - 1); // at most 2 * gap - 2
  const second = run(random, Math.max(1, Math.ceil((count - 1) / 2)), last + apart, gapMs);
  return { offsets: [...first, last + Math.floor(apart / 2), ...second], bridge: first.length };
}
