import { dayDelta, type DayDelta } from "../totals/totals";

/**
 * The days on which a user was active, as a bitmap: 46 bytes for a year, 300 bytes for 2020 to 2026, for any number of
 * events. The union of sets is idempotent, commutative and associative. Values are immutable.
 */
export interface ActiveDays {
  /** Epoch day of the bitmap's first bit. A multiple of 8, so bitmaps can be merged byte by byte. */
  readonly start: number;
  /** Bit `i & 7` of byte `i >> 3` is the day `start + i`. The first and last byte are not 0. */
  readonly bits: Uint8Array;
}

/** The set after an addition, and how the addition changed the counts of days. */
export interface ActiveDaysChange {
  readonly set: ActiveDays;
  readonly deltas: DayDelta[];
}

const byteOf = (day: number): number => Math.floor(day / 8);
const bitOf = (day: number): number => 1 << (day & 7);

/** The user's first active day, on which the user counts as new. */
export function firstActiveDay(set: ActiveDays): number {
  const byte = set.bits[0] ?? 0;
  return set.start + (31 - Math.clz32(byte & -byte));
}

/** Whether the user was active on a day. */
export function hasDay(set: ActiveDays, day: number): boolean {
  return ((set.bits[byteOf(day) - set.start / 8] ?? 0) & bitOf(day)) !== 0;
}

/** The union of two sets. */
export function mergeActiveDays(a: ActiveDays, b: ActiveDays): ActiveDays {
  const first = Math.min(a.start, b.start) / 8;
  const end = Math.max(a.start / 8 + a.bits.length, b.start / 8 + b.bits.length);
  const bits = new Uint8Array(end - first);
  bits.set(a.bits, a.start / 8 - first);
  const shift = b.start / 8 - first;
  b.bits.forEach((byte, i) => (bits[shift + i] = (bits[shift + i] ?? 0) | byte));
  return { start: first * 8, bits };
}

/**
 * Adds a day. A new first day moves the new user: -1 on the previous first day, +1 on the new one.
 * @param set undefined for a user without active days
 * @param day epoch day
 * @returns undefined when the set contains the day
 */
export function addDay(set: ActiveDays | undefined, day: number): ActiveDaysChange | undefined {
  if (set !== undefined && hasDay(set, day)) return undefined;
  const added: ActiveDays = { start: byteOf(day) * 8, bits: Uint8Array.of(bitOf(day)) };
  const oldFirst = set === undefined ? undefined : firstActiveDay(set);
  const becomesFirst = oldFirst === undefined || day < oldFirst;
  const deltas: DayDelta[] = [dayDelta(day, { activeUsers: 1, newUsers: becomesFirst ? 1 : 0 })];
  if (becomesFirst && oldFirst !== undefined) {
    deltas.push(dayDelta(oldFirst, { newUsers: -1 }));
  }
  return { set: set === undefined ? added : mergeActiveDays(set, added), deltas };
}

/** First byte of the encoding: the version of its layout. */
const FORMAT = 1;
const HEADER_BYTES = 5;

/** Encodes a set: format (1 byte), start / 8 (4 bytes, big endian), bitmap. Equal sets have equal bytes. */
export function encodeActiveDays(set: ActiveDays): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + set.bits.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT);
  view.setInt32(1, set.start / 8);
  bytes.set(set.bits, HEADER_BYTES);
  return bytes;
}

/**
 * Decodes a set from {@link encodeActiveDays}.
 * @throws Error when the bytes have another format, because another version of this program wrote the state
 */
export function decodeActiveDays(bytes: Uint8Array): ActiveDays {
  if (bytes[0] !== FORMAT || bytes.length <= HEADER_BYTES) {
    throw new Error(
      `The active days of a user have format ${bytes[0] ?? "none"} (${bytes.length} bytes), but this version reads only ` +
        `format ${FORMAT}. Run the version that wrote the state, or start with empty state`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A copy: `slice` of a Buffer would keep a view of a larger buffer.
  return { start: view.getInt32(1) * 8, bits: new Uint8Array(bytes.subarray(HEADER_BYTES)) };
}
