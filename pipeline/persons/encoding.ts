import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import type { AnonymousRecord } from "@eventlogger/events/persons/anonymousId";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import { VarintReader, VarintWriter } from "@eventlogger/events/varints";
import { byteCoder } from "../byteEncoding";
import { bytesOfHash, HASH_BYTES, textOfHash } from "../shards";
import { EncodingError } from "../textEncoding";
import { readPersonDays, writePersonDays } from "./dayEncoding";

/** Days of an anonymous id, without a user or together with one. */
export interface AnonymousDays {
  /** Key of the user; undefined for events without one. */
  readonly user: string | undefined;
  readonly days: Readonly<PersonDays>;
}

/** The first byte of a record. The values are part of stored state. */
const enum Kind {
  Days = 1,
  DaysWithUser = 2,
  Shared = 3,
}

const DAYS_FORMAT = "days without a user (1) or with one (2), or the mark of a shared id (3)";

function writeDays(writer: VarintWriter, { user, days }: AnonymousDays): void {
  if (user === undefined) writer.unsigned(Kind.Days);
  else writer.unsigned(Kind.DaysWithUser).bytes(bytesOfHash(user));
  writePersonDays(writer, days);
}

function readRecord(reader: VarintReader): AnonymousRecord | undefined {
  const kind = reader.unsigned();
  if (kind === Kind.Shared) return { kind: "shared" };
  if (kind !== Kind.Days && kind !== Kind.DaysWithUser) return undefined;
  const hash = kind === Kind.DaysWithUser ? reader.take(HASH_BYTES) : undefined;
  if (kind === Kind.DaysWithUser && !hash) return undefined;
  const days = readPersonDays(reader);
  return days && { kind: "days", user: hash && textOfHash(hash), days };
}

/** What a bundle adds to an anonymous id, between two steps: records of stored state, one after the other. */
export function encodeAnonymousDays(list: readonly AnonymousDays[]): Uint8Array {
  const writer = new VarintWriter(list.length * (HASH_BYTES + 8));
  for (const one of list) writeDays(writer, one);
  return writer.finish();
}

/** @throws EncodingError */
export function decodeAnonymousDays(encoded: Uint8Array): AnonymousDays[] {
  const list: AnonymousDays[] = [];
  const reader = new VarintReader(encoded);
  while (!reader.atEnd) {
    const record = readRecord(reader);
    if (record?.kind !== "days") throw new EncodingError("the days of an anonymous id", DAYS_FORMAT, encoded);
    list.push(record);
  }
  return list;
}

/**
 * A record of stored state: 1 and days, 2, the 16 bytes of the user's key and days, or 3 for an id that is shared. Jobs resume from it, so
 * the format must not change.
 */
export function encodeAnonymousRecord(record: AnonymousRecord): Uint8Array {
  const writer = new VarintWriter(HASH_BYTES + 8);
  if (record.kind === "shared") writer.unsigned(Kind.Shared);
  else writeDays(writer, record);
  return writer.finish();
}

/** @throws EncodingError */
export function decodeAnonymousRecord(encoded: Uint8Array): AnonymousRecord {
  const reader = new VarintReader(encoded);
  const record = readRecord(reader);
  if (!record || !reader.atEnd) throw new EncodingError("the record of an anonymous id", DAYS_FORMAT, encoded);
  return record;
}

export const anonymousRecordCoder: Coder<AnonymousRecord> = byteCoder(encodeAnonymousRecord, decodeAnonymousRecord);
