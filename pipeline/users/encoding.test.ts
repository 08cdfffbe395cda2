import assert from "node:assert/strict";
import fc from "fast-check";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { EncodingError } from "../textEncoding";
import { decodeDays, decodeUserRecord, encodeDays, encodeUserRecord } from "./encoding";

const day = fc.oneof(fc.nat(40_000), fc.integer({ min: -40_000, max: 3_000_000 }));
const days = fc.array(day, { minLength: 1, maxLength: 8 });
const only = (one: number): ActiveDays => addDay(undefined, one)?.set ?? assert.fail();
const setOf = (list: readonly number[]): ActiveDays => list.map(only).reduce(mergeActiveDays);

describe("encoding of users", () => {
  it("days of a user are the same after encoding and decoding, as a list and as a set", () => {
    fc.assert(
      fc.property(days, (list) => {
        assert.deepEqual(decodeDays(encodeDays(list)), list);
        assert.deepEqual(decodeUserRecord(encodeUserRecord(list)), list);
      }),
    );
    const close = fc.array(fc.integer({ min: -3000, max: 20_000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(close, (list) => assert.deepEqual(decodeUserRecord(encodeUserRecord(setOf(list))), setOf(list))),
    );
  });

  it("records of users have the bytes that running jobs have stored", () => {
    assert.deepEqual(encodeUserRecord([20_000]), Uint8Array.of(1, 0xc0, 0xb8, 0x02));
    // Day 20,000 is 2500 * 8: kind 2, 2500 as a signed varint, then the bits of the days.
    assert.deepEqual(encodeUserRecord(setOf([20_000, 20_002])), Uint8Array.of(2, 0x88, 0x27, 0b101));
    assert.equal(encodeDays([20_484]).length, 3);
  });

  it("decoding damaged records of users is an error that does not reveal them", () => {
    for (const damaged of [[], [0], [3, 1], [1, 0x80], [2], [2, 0x88, 0x27], [2, 0x88]]) {
      assert.throws(() => decodeUserRecord(Uint8Array.from(damaged)), EncodingError, String(damaged));
    }
    assert.throws(() => decodeDays(Uint8Array.of(0x80)), {
      message: "Cannot decode the active days of a user of 1 bytes: expected epoch days",
    });
  });
});
