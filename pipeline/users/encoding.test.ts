import assert from "node:assert/strict";
import fc from "fast-check";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { EncodingError } from "../textEncoding";
import { decodeUserChanges, decodeUserDays, encodeUserChanges, encodeUserDays } from "./encoding";

const ids = fc.oneof(fc.string({ unit: "grapheme", minLength: 1 }), fc.stringMatching(/^[|,;"\\[\]0-9-]{1,12}$/));
const days = fc.array(fc.nat(40_000), { minLength: 1, maxLength: 8 });

const only = (day: number): ActiveDays => addDay(undefined, day)?.set ?? assert.fail();
const setOf = (list: readonly number[]): ActiveDays => list.map(only).reduce(mergeActiveDays);

describe("encoding of users", () => {
  it("active days of users are the same after encoding and decoding, whatever the user ids", () => {
    const users = fc.array(fc.record({ userId: ids, days }, { noNullPrototype: true }), { maxLength: 5 });
    fc.assert(fc.property(users, (list) => assert.deepEqual(decodeUserDays(encodeUserDays(list)), list)));
    assert.equal(encodeUserDays([{ userId: 'u"|', days: [1, 20_000] }]), '[["u\\"|",1,20000]]');
  });

  it("stored changes of users are the same after encoding and decoding, as days and as whole sets", () => {
    const change = fc.record(
      { userId: ids, days: fc.array(fc.oneof(fc.nat(40_000), days.map(setOf)), { maxLength: 4 }) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 5 }), (list) =>
        assert.deepEqual(decodeUserChanges(encodeUserChanges(list)), list),
      ),
    );
    // Format 1, start 2500 * 8 = 20,000, then the bits of the days.
    assert.equal(encodeUserChanges([{ userId: "u", days: [7, setOf([20_000, 20_002])] }]), '[["u",7,"AQAACcQF"]]');
    const manyDays = Array.from({ length: 32 }, (_, i) => 20_000 + i).filter((day) => day !== 20_010);
    assert.equal(encodeUserChanges([{ userId: "u", days: [setOf(manyDays)] }]), '[["u","AQAACcT/+///"]]');
  });

  it("decoding damaged texts of users is an error that does not reveal the text", () => {
    for (const text of ["", "5", "{}", '["u",1]', "[[1,2]]", '[["u",1.5]]', '[["u",null]]', "[[]]"]) {
      assert.throws(() => decodeUserDays(text), EncodingError, text);
      assert.throws(() => decodeUserChanges(text), EncodingError, text);
    }
    assert.throws(() => decodeUserDays('[["u","AQAACcQF"]]'), EncodingError);
    assert.throws(() => decodeUserChanges('[["u","AgAACcQF"]]'), /format 2 .* reads only format 1/);
    assert.throws(() => decodeUserDays('[["secret-id",null]]'), {
      message: "Cannot decode active days of users of 20 characters: expected the JSON list [[userId, day, …], …]",
    });
  });
});
