import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { ActiveDays } from "@eventlogger/events/users/activeDays";
import { VarintReader, VarintWriter } from "@eventlogger/events/varints";
import { byteCoder } from "../byteEncoding";
import { EncodingError } from "../textEncoding";

/** Days on which a user was active: epoch days, in any order. */
export type DayList = readonly number[];

/** A change of a user's stored days: days that were new, or, in a snapshot, the whole set. */
export type UserRecord = DayList | ActiveDays;

/** The first byte of a record. The values are part of stored state. */
const enum Kind {
  Days = 1,
  Set = 2,
}

function writeDays(writer: VarintWriter, days: DayList): Uint8Array {
  for (const day of days) writer.signed(day);
  return writer.finish();
}

function readDays(reader: VarintReader, encoded: Uint8Array): number[] {
  const days: number[] = [];
  while (!reader.atEnd) {
    const day = reader.signed();
    if (day === undefined) throw new EncodingError("the active days of a user", "epoch days", encoded);
    days.push(day);
  }
  return days;
}

/** Days of one user between two steps: a signed varint for each day. */
export function encodeDays(days: DayList): Uint8Array {
  return writeDays(new VarintWriter(8), days);
}

/** @throws EncodingError */
export function decodeDays(encoded: Uint8Array): DayList {
  return readDays(new VarintReader(encoded), encoded);
}

const isSet = (record: UserRecord): record is ActiveDays => "bits" in record;

/**
 * A record of stored state: 1 and the days as above, or 2, the first byte of the bitmap (its first day divided by 8, a signed
 * varint), and the bitmap. Jobs resume from it, so the format must not change.
 */
export function encodeUserRecord(record: UserRecord): Uint8Array {
  if (!isSet(record)) return writeDays(new VarintWriter(8).unsigned(Kind.Days), record);
  const writer = new VarintWriter(8 + record.bits.length).unsigned(Kind.Set).signed(record.start / 8);
  return writer.bytes(record.bits).finish();
}

/** @throws EncodingError */
export function decodeUserRecord(encoded: Uint8Array): UserRecord {
  const reader = new VarintReader(encoded);
  const kind = reader.unsigned();
  if (kind === Kind.Days) return readDays(reader, encoded);
  const start = kind === Kind.Set ? reader.signed() : undefined;
  if (start === undefined || reader.atEnd) {
    throw new EncodingError("the stored days of a user", "a list of days (1) or a set of days (2)", encoded);
  }
  return { start: start * 8, bits: reader.rest() };
}

export const userRecordCoder: Coder<UserRecord> = byteCoder(encodeUserRecord, decodeUserRecord);
