import { dayOf, dayStart } from "@eventlogger/events/day";
import type { Random } from "./random";

/** The moments a session may use, epoch milliseconds, both ends inclusive; what does not fit is cut off. */
export interface Slot {
  readonly from: number;
  readonly to: number;
  /** Where a session that leaves room lies: 0 = as early as possible, 1 = as late as possible. */
  readonly position: number;
  /** A midnight within the slot that the session must cross. */
  readonly midnight?: number;
}

/** Anywhere on a past day. */
export function slotOnDay(random: Random, day: number): Slot {
  return { from: dayStart(day), to: dayStart(day + 1) - 1, position: random.float() };
}

/** A session that ends now. */
export function liveSlot(now: number): Slot {
  return { from: -Infinity, to: now, position: 1 };
}

/** On one of the `days` up to `now`, in the order of time as the progress goes from 0 to 1. */
export function recentSlot(now: number, days: number, progress: number): Slot {
  const index = Math.min(Math.floor(progress * days), days - 1);
  const day = dayOf(now) - days + 1 + index;
  return { from: dayStart(day), to: Math.min(dayStart(day + 1) - 1, now), position: progress * days - index };
}

/** Across the midnight before such a day, or after it for the first, so that no further day is touched. */
export function midnightSlot(now: number, days: number, progress: number): Slot {
  const { from } = recentSlot(now, days, progress);
  const midnight = from === dayStart(dayOf(now) - days + 1) ? dayStart(dayOf(from) + 1) : from;
  const day = dayOf(midnight);
  return { from: dayStart(day - 1), to: Math.min(dayStart(day + 1) - 1, now), position: 0, midnight };
}

/**
 * When a session starts that lies in a slot.
 * @param offsets moments of its events after its start, ascending; two at least when the slot has a midnight
 */
export function startInSlot(random: Random, slot: Slot, offsets: readonly number[]): number {
  if (slot.midnight !== undefined) {
    const after = 1 + random.int(offsets.length - 1);
    const before = offsets[after - 1] ?? 0;
    const pause = (offsets[after] ?? before) - before;
    // Often the first event of the new day is at midnight exactly.
    return slot.midnight - before - (random.chance(0.3) ? pause : 1 + random.int(Math.max(1, pause)));
  }
  const room = slot.to - (offsets[offsets.length - 1] ?? 0);
  if (slot.position === 1) return Math.max(slot.from, room);
  return slot.from + Math.floor(slot.position * Math.max(0, room - slot.from));
}
