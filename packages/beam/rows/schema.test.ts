import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { Schema } from "apache-beam/proto/schema";
import { encode, roundTrip } from "../testing/codec";
import {
  booleanType,
  bytesType,
  dateType,
  doubleType,
  int64Type,
  nestedRowType,
  nullable,
  rowCoder,
  rowSchema,
  stringType,
} from "./schema";

/** More than ten fields; each type once required and once nullable. */
const types = {
  text: stringType,
  maybe_text: nullable(stringType),
  count: int64Type,
  maybe_count: nullable(int64Type),
  share: doubleType,
  maybe_share: nullable(doubleType),
  yes: booleanType,
  maybe_yes: nullable(booleanType),
  bytes: bytesType,
  maybe_bytes: nullable(bytesType),
  day: dateType,
  maybe_day: nullable(dateType),
  inner: nestedRowType({ day: dateType, text: nullable(stringType) }),
  maybe_inner: nullable(nestedRowType({ count: int64Type })),
};

const text = fc.string({ unit: "grapheme" });
const day = fc
  .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const bytes = fc.uint8Array();
const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(values, { nil: undefined });

const rows = fc.record(
  {
    text,
    maybe_text: maybe(text),
    count: fc.maxSafeInteger(),
    maybe_count: maybe(fc.maxSafeInteger()),
    share: fc.double(),
    maybe_share: maybe(fc.double()),
    yes: fc.boolean(),
    maybe_yes: maybe(fc.boolean()),
    bytes,
    maybe_bytes: maybe(bytes),
    day,
    maybe_day: maybe(day),
    inner: fc.record({ day, text: maybe(text) }, { noNullPrototype: true }),
    maybe_inner: maybe(fc.record({ count: fc.maxSafeInteger() }, { noNullPrototype: true })),
  },
  { noNullPrototype: true },
);

describe("Row schemas", () => {
  it("a row coder decodes every row that it has encoded", () => {
    const coder = rowCoder(types);
    fc.assert(fc.property(fc.array(rows), (some) => assert.deepEqual(roundTrip(coder, some), some)));
  });

  it("a row coder decodes null and missing fields as undefined", () => {
    const coder = rowCoder({ a: nullable(stringType), b: nullable(stringType), c: nullable(stringType) });
    const row = { a: null, b: undefined } as { a: null; b: undefined; c: undefined };
    assert.deepEqual(roundTrip(coder, [row]), [{ a: undefined, b: undefined, c: undefined }]);
  });

  it("a row coder writes the encoding of the Beam model", () => {
    const coder = rowCoder({ id: stringType, day: dateType, user: nullable(stringType), n: int64Type });
    const hex = (row: { id: string; day: string; user: string | null; n: number }): string =>
      Buffer.from(encode(coder, [row])).toString("hex");
    // four fields, no nulls, a text, days since 1970, a text, a number
    assert.equal(
      hex({ id: "é", day: "1970-01-02", user: "u", n: 2 ** 31 }),
      "04" + "00" + "02c3a9" + "01" + "0175" + "8080808008",
    );
    // a byte of null bits: the third field is null
    assert.equal(
      hex({ id: "", day: "1969-12-31", user: null, n: 0 }),
      "04" + "0104" + "00" + "ffffffffffffffffff01" + "00",
    );
  });

  it("a row coder rejects dates that do not exist", () => {
    const coder = rowCoder({ day: dateType });
    for (const wrong of ["2024-02-30", "2023-02-29", "2024-13-01", "2024-1-1", "2024-01-01T00:00:00Z", "", "today"]) {
      assert.throws(() => encode(coder, [{ day: wrong }]), /is not a date/, wrong);
    }
    assert.deepEqual(roundTrip(coder, [{ day: "2024-02-29" }]), [{ day: "2024-02-29" }]);
  });

  it("the id of a schema depends on its content only", () => {
    const id = (fields: Parameters<typeof rowSchema>[0]): string => rowSchema(fields).id;
    assert.equal(id({ a: stringType }), id({ a: stringType }));
    assert.match(id({ a: stringType }), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const others: Parameters<typeof rowSchema>[0][] = [
      { a: stringType },
      { b: stringType },
      { a: nullable(stringType) },
      { a: int64Type },
      { a: stringType, b: stringType },
    ];
    const ids = others.map(id);
    assert.equal(new Set(ids).size, ids.length);
  });

  it("the proto of a schema marks the fields that may be null", () => {
    const schema = Schema.fromBinary(Schema.toBinary(rowSchema({ a: stringType, b: nullable(dateType) })));
    assert.deepEqual(
      schema.fields.map(({ name, type }) => [name, type?.nullable, type?.typeInfo.oneofKind]),
      [
        ["a", false, "atomicType"],
        ["b", true, "logicalType"],
      ],
    );
    assert.equal(schema.encodingPositionsSet, false);
  });
});
