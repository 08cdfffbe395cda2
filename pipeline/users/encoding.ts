import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { Contribution } from "@eventlogger/events/persons/anonymousId";
import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import type { ContributionCount } from "@eventlogger/events/persons/user";
import { VarintReader, VarintWriter } from "@eventlogger/events/varints";
import { byteCoder } from "../byteEncoding";
import { readPersonDays, writePersonDays } from "../persons/dayEncoding";
import { EncodingError } from "../textEncoding";

/** A contribution to a user who is known from the key. */
export type UserContribution = Omit<Contribution, "user">;

/** What a bundle changes of a user: days of events with the user id, or contributions of one anonymous id. */
export type UserUpdate =
  | { readonly kind: "days"; readonly days: Readonly<PersonDays> }
  | { readonly kind: "contributions"; readonly contributions: readonly UserContribution[] };

/** What is stored of a user: days of events with the user id, or the new counts of contributed days. */
export type UserRecord =
  | { readonly kind: "days"; readonly days: Readonly<PersonDays> }
  | { readonly kind: "counts"; readonly counts: readonly (readonly [MarkedDay, ContributionCount])[] };

/** The first byte. The values are part of stored state; formats of earlier releases had 1 and 2. */
const enum Kind {
  Days = 3,
  Contributions = 4,
  Counts = 5,
}

function encodeDays(days: Readonly<PersonDays>): Uint8Array {
  const writer = new VarintWriter(16).unsigned(Kind.Days);
  writePersonDays(writer, days);
  return writer.finish();
}

/** An update between two steps: 3 and days, or 4 and for each contribution the marked day and the change, as signed varints. */
export function encodeUserUpdate(update: UserUpdate): Uint8Array {
  if (update.kind === "days") return encodeDays(update.days);
  const writer = new VarintWriter(8).unsigned(Kind.Contributions);
  for (const { day, change } of update.contributions) writer.signed(day).signed(change);
  return writer.finish();
}

function readContributions(reader: VarintReader): UserContribution[] | undefined {
  const contributions: UserContribution[] = [];
  while (!reader.atEnd) {
    const day = reader.signed();
    const change = reader.signed();
    if (day === undefined || (change !== 1 && change !== -1)) return undefined;
    contributions.push({ day, change });
  }
  return contributions;
}

/** The days after the kind; undefined when there is something else. */
function readDays(reader: VarintReader): { readonly kind: "days"; readonly days: PersonDays } | undefined {
  const days = readPersonDays(reader);
  return days && reader.atEnd ? { kind: "days", days } : undefined;
}

/** @throws EncodingError */
export function decodeUserUpdate(encoded: Uint8Array): UserUpdate {
  const reader = new VarintReader(encoded);
  const kind = reader.unsigned();
  const ofDays = kind === Kind.Days ? readDays(reader) : undefined;
  if (ofDays) return ofDays;
  const contributions = kind === Kind.Contributions ? readContributions(reader) : undefined;
  if (!contributions) throw new EncodingError("the update of a user", "days (3) or contributions (4)", encoded);
  return { kind: "contributions", contributions };
}

/**
 * A record of stored state: 3 and days, or 5 and for each contributed day the marked day, a signed varint, and how often contributions
 * began and ended. Jobs resume from it, so the format must not change.
 */
export function encodeUserRecord(record: UserRecord): Uint8Array {
  if (record.kind === "days") return encodeDays(record.days);
  const writer = new VarintWriter(8).unsigned(Kind.Counts);
  for (const [day, { begun, ended }] of record.counts) writer.signed(day).unsigned(begun).unsigned(ended);
  return writer.finish();
}

function readCounts(reader: VarintReader): [MarkedDay, ContributionCount][] | undefined {
  const counts: [MarkedDay, ContributionCount][] = [];
  while (!reader.atEnd) {
    const day = reader.signed();
    const begun = reader.unsigned();
    const ended = reader.unsigned();
    if (day === undefined || begun === undefined || ended === undefined) return undefined;
    counts.push([day, { begun, ended }]);
  }
  return counts;
}

/** @throws EncodingError */
export function decodeUserRecord(encoded: Uint8Array): UserRecord {
  const reader = new VarintReader(encoded);
  const kind = reader.unsigned();
  const ofDays = kind === Kind.Days ? readDays(reader) : undefined;
  if (ofDays) return ofDays;
  const counts = kind === Kind.Counts ? readCounts(reader) : undefined;
  if (!counts) throw new EncodingError("the record of a user", "days (3) or counts of contributed days (5)", encoded);
  return { kind: "counts", counts };
}

export const userRecordCoder: Coder<UserRecord> = byteCoder(encodeUserRecord, decodeUserRecord);
