import assert from "node:assert/strict";
import fc from "fast-check";
import { EncodingError } from "../textEncoding";
import { decodeHashes, encodeHashes } from "./encoding";

describe("encoding of accepted events", () => {
  it("hashes of accepted events are the same after encoding and decoding", () => {
    const accepted = fc.record(
      {
        day: fc.integer({ min: -800_000, max: 3_000_000 }),
        hashes: fc.array(fc.integer({ min: 0, max: 2 ** 48 - 1 })),
      },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(accepted, (value) => assert.deepEqual(decodeHashes(encodeHashes(value)), value)));
    // Format 1, day 20,000, then one hash of 6 bytes.
    assert.equal(encodeHashes({ day: 20_000, hashes: [0x0102030405ff] }).toString("hex"), "0100004e200102030405ff");
  });

  it("decoding damaged hashes of accepted events is an error", () => {
    for (const hex of ["", "01", "0100004e2001", "0200004e20", "0100004e2001020304050607"]) {
      assert.throws(() => decodeHashes(Buffer.from(hex, "hex")), EncodingError, hex);
    }
  });
});
