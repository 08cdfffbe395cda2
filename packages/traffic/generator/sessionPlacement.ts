import { dayOf, dayStart } from "@eventlogger/events/day";
import type { Random } from "./random";

/** The time range of a session: epoch milliseconds, both inclusive. Events outside it are dropped. */
export interface Slot {
  readonly from: number;
  readonly to: number;
  /** Position of a session shorter than the slot: 0 for as early, 1 for as late as possible. */
  readonly position: number;
  /** A midnight within the slot that the session must cross. */
  readonly midnight?: number;
}

/** A random position on a past day. */
export function slotOnDay(random: Random, day: number): Slot {
  return { from: dayStart(day), to: dayStart(day + 1) - 1, position: random.float() };
}

/** A session that ends now. */
export function liveSlot(now: number): Slot {
  return { from: -Infinity, to: now, position: 1 };
}

/** A position in the `days` up to `now`, which advances as the progress goes from 0 to 1. */
export function recentSlot(now: number, days: number, progress: number): Slot {
  const index = Math.min(Math.floor(progress * days), days - 1);
  const day = dayOf(now) - days + 1 + index;
  return { from: dayStart(day), to: Math.min(dayStart(day + 1) - 1, now), position: progress * days - index };
}

/** Across the midnight before the day of the progress, or after it on the first day, so that no other day is touched. */
export function midnightSlot(now: number, days: number, progress: number): Slot {
  const { from } = recentSlot(now, days, progress);
  const midnight = from === dayStart(dayOf(now) - days + 1) ? dayStart(dayOf(from) + 1) : from;
  const day = dayOf(midnight);
  return { from: dayStart(day - 1), to: Math.min(dayStart(day + 1) - 1, now), position: 0, midnight };
}

/**
 * The start of a session in a slot; epoch milliseconds.
 * @param offsets times of its events after its start, ms, ascending; at least two if the slot has a midnight
 */
export function startInSlot(random: Random, slot: Slot, offsets: readonly number[]): number {
  if (slot.midnight !== undefined) {
    const after = 1 + random.int(offsets.length - 1);
    const before = offsets[after - 1] ?? 0;
    const pause = (offsets[after] ?? before) - before;
    // Often the first event of the new day is exactly at midnight.
    return slot.midnight - before - (random.chance(0.3) ? pause : 1 + random.int(Math.max(1, pause)));
  }
  const room = slot.to - (offsets[offsets.length - 1] ?? 0);
  if (slot.position === 1) return Math.max(slot.from, room);
  return slot.from + Math.floor(slot.position * Math.max(0, room - slot.from));
}
