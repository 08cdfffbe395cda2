/**
 * Sets of days as values: a person's active days need 46 bytes for a year and 300 bytes for 2020 to 2026, for any number of events.
 * Equal sets have equal values, and functions do not change their arguments.
 */

/** At least two days, as a bitmap. */
export interface ActiveDays {
  /** Epoch day of the bitmap's first bit. A multiple of 8, so bitmaps can be merged byte by byte. */
  readonly start: number;
  /** Bit `i & 7` of byte `i >> 3` is the day `start + i`. The first and last byte are not 0. */
  readonly bits: Uint8Array;
}

/** A set of days. One day, as most persons have, is just that day: a tenth of the memory of a bitmap. Undefined: no day. */
export type DaySet = number | ActiveDays | undefined;

const byteOf = (day: number): number => day >> 3;
const bitOf = (day: number): number => 1 << (day & 7);

function lowestBit(byte: number): number {
  return 31 - Math.clz32(byte & -byte);
}

/** The bitmap of a set; that of a single day is not a value of a {@link DaySet}. */
function bitmapOf(set: number | ActiveDays): ActiveDays {
  return typeof set === "number" ? { start: byteOf(set) * 8, bits: Uint8Array.of(bitOf(set)) } : set;
}

/** The set of a bitmap whose first and last bytes may be 0. */
function setOfBitmap(start: number, bits: Uint8Array): DaySet {
  let from = 0;
  let to = bits.length;
  while (from < to && bits[from] === 0) from++;
  while (to > from && bits[to - 1] === 0) to--;
  if (from === to) return undefined;
  const first = bits[from] as number;
  if (to - from === 1 && (first & (first - 1)) === 0) return start + 8 * from + lowestBit(first);
  return { start: start + 8 * from, bits: from === 0 && to === bits.length ? bits : bits.slice(from, to) };
}

/** Whether a set contains a day. */
export function hasDay(set: DaySet, day: number): boolean {
  if (typeof set !== "object") return set === day;
  return ((set.bits[byteOf(day) - set.start / 8] ?? 0) & bitOf(day)) !== 0;
}

/** The first day of a set; undefined when it is empty. */
export function firstDay(set: DaySet): number | undefined {
  return typeof set === "object" ? set.start + lowestBit(set.bits[0] ?? 0) : set;
}

/** The last day of a set from `from` on that is before `day`; undefined without one. */
export function lastDayBefore(set: DaySet, day: number, from: number): number | undefined {
  if (typeof set !== "object") return set !== undefined && set >= from && set < day ? set : undefined;
  const { start, bits } = set;
  const first = Math.max(from, start);
  let at = Math.min(day - 1, start + 8 * bits.length - 1);
  while (at >= first) {
    const byte = bits[byteOf(at) - start / 8] ?? 0;
    if (byte === 0) at = byteOf(at) * 8 - 1;
    else if ((byte & bitOf(at)) !== 0) return at;
    else at--;
  }
  return undefined;
}

/** The first day of a set up to `to` that is after `day`; undefined without one. */
export function firstDayAfter(set: DaySet, day: number, to: number): number | undefined {
  if (typeof set !== "object") return set !== undefined && set > day && set <= to ? set : undefined;
  const { start, bits } = set;
  const last = Math.min(to, start + 8 * bits.length - 1);
  let at = Math.max(day + 1, start);
  while (at <= last) {
    const byte = bits[byteOf(at) - start / 8] ?? 0;
    if (byte === 0) at = (byteOf(at) + 1) * 8;
    else if ((byte & bitOf(at)) !== 0) return at;
    else at++;
  }
  return undefined;
}

/** The days of a set, ascending. */
export function listDays(set: DaySet): number[] {
  if (typeof set !== "object") return set === undefined ? [] : [set];
  const days: number[] = [];
  set.bits.forEach((byte, i) => {
    for (let rest = byte; rest !== 0; rest &= rest - 1) days.push(set.start + 8 * i + lowestBit(rest));
  });
  return days;
}

/** The union of two sets. */
export function unionDays(a: DaySet, b: DaySet): DaySet {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  const [left, right] = [bitmapOf(a), bitmapOf(b)];
  const first = Math.min(left.start, right.start) / 8;
  const end = Math.max(left.start / 8 + left.bits.length, right.start / 8 + right.bits.length);
  const bits = new Uint8Array(end - first);
  bits.set(left.bits, left.start / 8 - first);
  const shift = right.start / 8 - first;
  right.bits.forEach((byte, i) => (bits[shift + i] = (bits[shift + i] ?? 0) | byte));
  return { start: first * 8, bits };
}

/** The days of `a` that `b` lacks. */
export function subtractDays(a: DaySet, b: DaySet): DaySet {
  if (a === undefined || b === undefined) return a;
  if (typeof a === "number") return hasDay(b, a) ? undefined : a;
  if (typeof b === "number" && !hasDay(a, b)) return a;
  const right = bitmapOf(b);
  const bits = Uint8Array.from(a.bits);
  const shift = (right.start - a.start) / 8;
  right.bits.forEach((byte, i) => {
    const known = bits[shift + i];
    if (known !== undefined) bits[shift + i] = known & ~byte;
  });
  return setOfBitmap(a.start, bits);
}

/** A set with a day. */
export function addDay(set: DaySet, day: number): DaySet {
  return hasDay(set, day) ? set : unionDays(set, day);
}

/** A set without a day. */
export function removeDay(set: DaySet, day: number): DaySet {
  return hasDay(set, day) ? subtractDays(set, day) : set;
}
