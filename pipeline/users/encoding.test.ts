import assert from "node:assert/strict";
import fc from "fast-check";
import { markDay } from "@eventlogger/events/persons/markedDay";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import { daysOf } from "../testing/personDays";
import { EncodingError } from "../textEncoding";
import {
  decodeUserRecord,
  decodeUserUpdate,
  encodeUserRecord,
  encodeUserUpdate,
  type UserRecord,
  type UserUpdate,
} from "./encoding";

const marked = fc.integer({ min: -6000, max: 60_000 });

const days = fc.array(marked, { minLength: 1, maxLength: 8 }).map(daysOf);

describe("encoding of users", () => {
  it("updates of users are the same after encoding and decoding", () => {
    const contribution = fc.record({ day: marked, change: fc.constantFrom<1 | -1>(1, -1) }, { noNullPrototype: true });
    const updates = fc.oneof(
      days.map((days): UserUpdate => ({ kind: "days", days })),
      fc
        .array(contribution, { maxLength: 5 })
        .map((list): UserUpdate => ({ kind: "contributions", contributions: list })),
    );
    fc.assert(fc.property(updates, (update) => assert.deepEqual(decodeUserUpdate(encodeUserUpdate(update)), update)));
    assert.equal(encodeUserUpdate({ kind: "days", days: daysOf([markDay(20_484, false)]) }).length, 5);
  });

  it("records of users are the same after encoding and decoding", () => {
    const count = fc.record({ begun: fc.nat(), ended: fc.nat() }, { noNullPrototype: true });
    const records = fc.oneof(
      days.map((days): UserRecord => ({ kind: "days", days })),
      fc.array(fc.tuple(marked, count), { maxLength: 5 }).map((counts): UserRecord => ({ kind: "counts", counts })),
    );
    fc.assert(fc.property(records, (record) => assert.deepEqual(decodeUserRecord(encodeUserRecord(record)), record)));
  });

  it("records of users have the bytes that running jobs have stored", () => {
    const bytesOf = (days: PersonDays): number[] => [...encodeUserRecord({ kind: "days", days })];
    // Kind 3, form 1 (one day of a person), 20,000 as a signed varint.
    assert.deepEqual(bytesOf({ human: 20_000, bots: undefined }), [3, 1, 0xc0, 0xb8, 0x02]);
    // Form 2 + 3: days of a person as a bitmap, and one day of a bot. Day 20,000 is 2500 * 8; then the length and the bits of the days.
    const several = daysOf([20_000, 20_002].map((day) => markDay(day, false)));
    assert.deepEqual(bytesOf({ ...several, bots: 1 }), [3, 5, 0x88, 0x27, 1, 0b101, 2]);
    // Kind 5, the marked day 40,001 (day 20,000 of a bot), begun twice, ended once.
    const counts: UserRecord = { kind: "counts", counts: [[40_001, { begun: 2, ended: 1 }]] };
    assert.deepEqual([...encodeUserRecord(counts)], [5, 0x82, 0xf1, 0x04, 2, 1]);
  });

  it("damaged records of users, and those of earlier formats, are an error that does not reveal them", () => {
    const damaged = [[], [0], [1, 0xc0, 0xb8, 0x02], [2, 0x88, 0x27, 5], [3], [3, 9], [3, 1], [3, 2, 0x88, 0x27, 0]];
    for (const bytes of [...damaged, [3, 2, 0x88, 0x27, 4, 1], [3, 1, 2, 3], [4, 2, 2], [5, 1], [5, 1, 2], [6]]) {
      assert.throws(() => decodeUserRecord(Uint8Array.from(bytes)), EncodingError, String(bytes));
    }
    for (const bytes of [[], [1, 2], [3], [3, 1, 2, 3], [4, 2], [4, 2, 4], [5, 2, 1, 1]]) {
      assert.throws(() => decodeUserUpdate(Uint8Array.from(bytes)), EncodingError, String(bytes));
    }
    assert.throws(() => decodeUserUpdate(Uint8Array.of(0x80)), {
      message: "Cannot decode the update of a user of 1 bytes: expected days (3) or contributions (4)",
    });
  });
});
