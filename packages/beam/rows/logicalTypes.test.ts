import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { LogicalType } from "apache-beam/proto/schema";
import { encode, roundTrip } from "../testing/codec";
import {
  decimalType,
  fixedBytesType,
  fixedCharType,
  microsInstantType,
  millisInstantType,
  varBytesType,
  varCharType,
} from "./logicalTypes";
import { int64Type, nestedRowType, nullable, rowCoder, stringType, type RowType } from "./schema";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const narrow = (n: bigint): number | bigint => (Number.isSafeInteger(Number(n)) ? Number(n) : n);

/** Encodes and decodes a value as the only field of a row. */
function roundTripOf<T>(type: RowType<T>, value: unknown): unknown {
  return roundTrip<{ field: unknown }>(rowCoder({ field: type }), [{ field: value }])[0]?.field;
}

describe("Logical types of rows", () => {
  it("decimal numbers of any size keep their digits and their scale", () => {
    const decimals = fc
      .tuple(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), fc.nat(60))
      .map(([unscaled, scale]) => {
        const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
        const cut = digits.length - scale;
        return `${unscaled < 0n ? "-" : ""}${digits.slice(0, cut)}${scale ? `.${digits.slice(cut)}` : ""}`;
      });
    fc.assert(fc.property(decimals, (text) => assert.equal(roundTripOf(decimalType, text), text)));
    for (const text of ["0", "0.00", "-0.5", "-128", "128", "-129", "5E+3", "-12E+40"]) {
      assert.equal(roundTripOf(decimalType, text), text);
    }
  });

  it("texts of decimal numbers are read as Java's BigDecimal reads them", () => {
    for (const [text, canonical] of [
      ["+1.50", "1.50"],
      [".5", "0.5"],
      ["5.", "5"],
      ["-00.10", "-0.10"],
      ["-0", "0"],
      ["12e-3", "0.012"],
      ["1.5E2", "15E+1"],
    ]) {
      assert.equal(roundTripOf(decimalType, text), canonical);
    }
    for (const wrong of ["", ".", "1,5", "0x10", "NaN", "1e99999999999", 1.5]) {
      assert.throws(() => roundTripOf(decimalType, wrong), /field field: not the text of a decimal number: /);
    }
  });

  it("instants are epoch milliseconds or microseconds, also before 1970, and are never rounded", () => {
    fc.assert(fc.property(int64, (n) => assert.equal(roundTripOf(millisInstantType, n), narrow(n))));
    fc.assert(fc.property(int64, (n) => assert.equal(roundTripOf(microsInstantType, n), narrow(n))));
    // The row of Java's MicrosInstant has at least 0 microseconds.
    const hex = Buffer.from(encode(rowCoder({ t: microsInstantType }), [{ t: -1 }])).toString("hex");
    assert.equal(hex, "0100" + "0200" + "ffffffffffffffffff01" + "bf843d");
    assert.throws(() => roundTripOf(millisInstantType, 0.5), /field field: not a 64-bit integer: 0.5/);
  });

  it("texts and bytes of a fixed length are padded, and longer ones are an error", () => {
    assert.equal(roundTripOf(fixedCharType(3), "ab"), "ab ");
    assert.equal(roundTripOf(varCharType(3), "ab"), "ab");
    assert.deepEqual(roundTripOf(fixedBytesType(3), Uint8Array.of(1)), Uint8Array.of(1, 0, 0));
    assert.deepEqual(roundTripOf(varBytesType(3), Uint8Array.of(1)), Uint8Array.of(1));
    for (const type of [fixedCharType(3), varCharType(3)]) {
      assert.throws(() => roundTripOf(type, "four"), /field field: longer than 3: 4/);
    }
    for (const type of [fixedBytesType(3), varBytesType(3)]) {
      assert.throws(() => roundTripOf(type, new Uint8Array(4)), /field field: longer than 3: 4/);
    }
  });

  it("values of an unknown logical type are those of its representation", () => {
    const seconds = nestedRowType({ seconds: int64Type, zone: nullable(stringType) });
    const logicalType = LogicalType.create({ urn: "beam:logical_type:elsewhere:v1", representation: seconds.proto });
    const unknown = { proto: { nullable: false, typeInfo: { oneofKind: "logicalType", logicalType } } } as const;
    assert.deepEqual(roundTripOf(unknown, { seconds: 7, zone: "Z" }), { seconds: 7, zone: "Z" });
  });
});
