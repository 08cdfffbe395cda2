import assert from "node:assert/strict";
import fc from "fast-check";
import type { Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { EncodingError } from "../textEncoding";
import {
  decodeIntervals,
  decodePartials,
  decodeSessionKey,
  encodeIntervals,
  encodePartials,
  encodeSessionKey,
} from "./encoding";

/** Ids with the separators of all encodings. */
const ids = fc.oneof(fc.string({ unit: "grapheme", minLength: 1 }), fc.stringMatching(/^[|,;"\\[\]0-9-]{1,12}$/));
const interval = fc.tuple(fc.nat(4e12), fc.nat(86_400_000)).map(([first, length]): Interval => [first, first + length]);
const intervals = fc.array(interval, { minLength: 1, maxLength: 5 });

describe("encoding of sessions", () => {
  it("session keys are the same after encoding and decoding, whatever the session id", () => {
    fc.assert(
      fc.property(fc.nat(3_000_000), ids, (day, sessionId) => {
        const key = { day, sessionId };
        assert.deepEqual(decodeSessionKey(encodeSessionKey(key)), key);
      }),
    );
    assert.equal(encodeSessionKey({ day: 19_860, sessionId: "a|b" }), "19860|a|b");
  });

  it("intervals are the same after encoding and decoding", () => {
    fc.assert(fc.property(intervals, (list) => assert.deepEqual(decodeIntervals(encodeIntervals(list)), list)));
    assert.equal(encodeIntervals([[1, 2]]), "1,2");
    assert.equal(encodeIntervals([[1, 2], [50, 50]]), "1,2;50,50"); // prettier-ignore
  });

  it("partial sessions are the same after encoding and decoding, whatever the session ids", () => {
    const partials = fc.array(fc.record({ sessionId: ids, intervals }, { noNullPrototype: true }), { maxLength: 5 });
    fc.assert(fc.property(partials, (list) => assert.deepEqual(decodePartials(encodePartials(list)), list)));
    const partial = { sessionId: 'a"|,;', intervals: [[1, 2], [50, 60]] as Interval[] }; // prettier-ignore
    assert.equal(encodePartials([partial]), '[["a\\"|,;",1,2,50,60]]');
  });

  it("decoding damaged texts of sessions is an error that does not reveal the text", () => {
    for (const text of ["", "s", "|s", "x|s", "1.5|s"])
      assert.throws(() => decodeSessionKey(text), EncodingError, text);
    for (const text of ["", "1", "1,", ",1", "1,2;", "2,1", "1,2,3", "1.5,2", "a,b", " 1,2"]) {
      assert.throws(() => decodeIntervals(text), EncodingError, text);
    }
    for (const text of ["", "{}", "5", '["s",1,2]', "[[1,2,3]]", '[["s",1]]', '[["s",2,1]]', '[["s","1",2]]', "[[]]"]) {
      assert.throws(() => decodePartials(text), EncodingError, text);
    }
    assert.throws(() => decodePartials('[["secret-id",1]]'), {
      message:
        "Cannot decode partial sessions of 17 characters: expected the JSON list [[sessionId, first, last, …], …]",
    });
  });
});
