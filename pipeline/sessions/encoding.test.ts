import assert from "node:assert/strict";
import fc from "fast-check";
import { EncodingError } from "../textEncoding";
import { decodeIntervals, decodeSessionKey, encodeIntervals, encodeSessionKey } from "./encoding";

const ids = fc.oneof(fc.string({ unit: "grapheme" }), fc.stringMatching(/^[|,;"\\[\]0-9-]{1,12}$/));

describe("encoding of sessions", () => {
  it("a session key is the same after encoding and decoding, whatever the session id", () => {
    const keys = fc.record(
      { day: fc.integer({ min: -1000, max: 40_000 }), isBot: fc.boolean(), sessionId: ids },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(keys, (key) => assert.deepEqual(decodeSessionKey(encodeSessionKey(key)), key)));
    assert.equal(encodeSessionKey({ day: 20_484, isBot: false, sessionId: "a|b" }), "20484|a|b");
    assert.equal(encodeSessionKey({ day: 20_484, isBot: true, sessionId: "a|b" }), "20484b|a|b");
  });

  it("intervals are the same after encoding and decoding, from any origin", () => {
    const interval = fc.tuple(fc.nat(86_400_000), fc.nat(86_400_000));
    const origin = fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 40), max: 2 ** 43 }));
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 8 }), origin, (list, from) => {
        const intervals = list.map(([first, duration]) => [from + first, from + first + duration] as const);
        assert.deepEqual(decodeIntervals(encodeIntervals(intervals, from), from), intervals);
      }),
    );
  });

  it("intervals have the bytes that running jobs have stored", () => {
    assert.deepEqual(encodeIntervals([[300, 300]]), Uint8Array.of(0xac, 0x02, 0));
    const [first, last] = [86_000_000, 86_399_999];
    assert.equal(encodeIntervals([[first, last]]).length, 7);
  });

  it("decoding a damaged key or damaged intervals is an error that does not reveal them", () => {
    for (const text of ["", "x|s", "|s", "20484", "1.5|s"]) {
      assert.throws(() => decodeSessionKey(text), EncodingError, text);
    }
    for (const damaged of [[0x80], [5], [5, 0x80], [5, 0, 1]]) {
      assert.throws(() => decodeIntervals(Uint8Array.from(damaged)), EncodingError, String(damaged));
    }
    assert.throws(() => decodeSessionKey("secret-id"), {
      message: "Cannot decode a session key of 9 characters: expected day|sessionId",
    });
  });
});
