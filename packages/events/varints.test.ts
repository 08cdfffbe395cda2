import assert from "node:assert/strict";
import fc from "fast-check";
import { VarintReader, VarintWriter } from "./varints";

const unsigned = fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat());
const signed = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.integer(),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
);

describe("varints", () => {
  it("whole numbers are the same after writing and reading, signed and unsigned, in any number", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(unsigned, signed)), fc.nat(20), fc.uint8Array(), (pairs, size, tail) => {
        const writer = new VarintWriter(size);
        for (const [one, other] of pairs) writer.unsigned(one).signed(other);
        const reader = new VarintReader(writer.bytes(tail).finish());
        for (const [one, other] of pairs) assert.deepEqual([reader.unsigned(), reader.signed()], [one, other]);
        assert.equal(reader.atEnd, tail.length === 0);
        assert.deepEqual(reader.rest(), tail);
        assert.equal(reader.atEnd, true);
        assert.equal(reader.unsigned(), undefined);
      }),
    );
  });

  it("numbers below 128 take one byte, and 300 is the two bytes of the documentation of Protocol Buffers", () => {
    assert.deepEqual(new VarintWriter().unsigned(127).finish(), Uint8Array.of(127));
    assert.deepEqual(new VarintWriter().unsigned(300).finish(), Uint8Array.of(0xac, 0x02));
    assert.deepEqual(new VarintWriter().signed(-1).signed(1).signed(0).finish(), Uint8Array.of(1, 2, 0));
  });

  it("reading a number that is cut off, or too large, gives undefined", () => {
    assert.equal(new VarintReader(Uint8Array.of(0x80)).unsigned(), undefined);
    assert.equal(new VarintReader(new Uint8Array(9).fill(0xff)).unsigned(), undefined);
    assert.equal(new VarintReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)).signed(), undefined);
  });

  it("writing a number that is not a safe integer is an error", () => {
    for (const wrong of [-1, 1.5, NaN, 2 ** 53]) assert.throws(() => new VarintWriter().unsigned(wrong), RangeError);
    assert.throws(() => new VarintWriter().signed(2 ** 53), RangeError);
  });
});
