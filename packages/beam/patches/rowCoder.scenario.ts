import "../sdk";
import { RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType, Schema, type FieldType } from "apache-beam/proto/schema";
import { decode, encode } from "../testing/codec";

type Row = Record<string, unknown>;

/** Rows with their encoding in the Beam model, hex. */
export interface Example {
  readonly schema: Schema;
  readonly rows: readonly (readonly [bytes: string, row: Row])[];
}

const atomic = (atomicType: AtomicType, nullable = false): FieldType => ({
  nullable,
  typeInfo: { oneofKind: "atomicType", atomicType },
});

/** @param positions the encoding position of each field */
export function schemaOf(types: Readonly<Record<string, FieldType>>, positions?: readonly number[]): Schema {
  return Schema.create({
    id: "0b2bf0b5-6a35-4d8b-9a8e-6c8a3a2f1d10",
    fields: Object.entries(types).map(([name, type], i) => ({ name, type, encodingPosition: positions?.[i] ?? i })),
    encodingPositionsSet: positions !== undefined,
  });
}

const { BYTE, INT16, INT32, INT64, FLOAT, DOUBLE, STRING, BOOLEAN, BYTES } = AtomicType;

/** The first four are from standard_coders.yaml of the Beam model; the others are derived by hand from its description. */
export const examples = {
  doublesAndArrays: {
    schema: schemaOf({
      str: atomic(STRING),
      i32: atomic(INT32),
      f64: atomic(DOUBLE),
      arr: { nullable: false, typeInfo: { oneofKind: "arrayType", arrayType: { elementType: atomic(STRING) } } },
    }),
    rows: [
      [
        "040003666f6fa9463fb999999999999a0000000303666f6f036261720362617a",
        { str: "foo", i32: 9001, f64: 0.1, arr: ["foo", "bar", "baz"] },
      ],
    ],
  },
  nulls: {
    schema: schemaOf({ str: atomic(STRING, true), f_bool: atomic(BOOLEAN, true), f_bytes: atomic(BYTES, true) }),
    rows: [
      ["030107", { str: undefined, f_bool: undefined, f_bytes: undefined }],
      ["03010403666f6f01", { str: "foo", f_bool: true, f_bytes: undefined }],
      ["030003666f6f000461620063", { str: "foo", f_bool: false, f_bytes: new TextEncoder().encode("ab\0c") }],
    ],
  },
  positions: {
    schema: schemaOf({ str: atomic(STRING), f_bool: atomic(BOOLEAN), i32: atomic(INT32, true) }, [1, 2, 0]),
    rows: [["030015047374723200", { str: "str2", f_bool: false, i32: 21 }]],
  },
  maps: {
    schema: schemaOf({
      f_map: {
        nullable: false,
        typeInfo: { oneofKind: "mapType", mapType: { keyType: atomic(STRING), valueType: atomic(INT64, true) } },
      },
    }),
    rows: [
      ["010000000000", { f_map: new Map() }],
      [
        "01000000000203666f6f01a946046261722100",
        {
          f_map: new Map<string, unknown>([
            ["foo", 9001],
            ["bar!", undefined],
          ]),
        },
      ],
    ],
  },
  numbers: {
    schema: schemaOf({
      byte: atomic(BYTE),
      i16: atomic(INT16),
      i32: atomic(INT32),
      i64: atomic(INT64),
      f32: atomic(FLOAT),
    }),
    rows: [
      ["0500ff80008080808008ffffffffffffffffff013f800000", { byte: -1, i16: -32768, i32: -(2 ** 31), i64: -1, f32: 1 }],
      [
        "05007f7fffffffffff0780808080104048f5c3",
        { byte: 127, i16: 32767, i32: 2 ** 31 - 1, i64: 2 ** 32, f32: Math.fround(3.14) },
      ],
    ],
  },
} satisfies Readonly<Record<string, Example>>;

/** More than ten fields, whose encoding positions sort differently as strings than as numbers; field 10 is written first. */
export const manyFields: Example = {
  schema: schemaOf(
    Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, atomic(i % 2 ? STRING : INT64, true)])),
    Array.from({ length: 12 }, (_, i) => (i + 2) % 12),
  ),
  rows: [
    [
      // The null bits of fields 10 and 11, which come first, then fields 0 to 9.
      "0c0103" + "00" + "0131" + "02" + "0133" + "04" + "0135" + "06" + "0137" + "08" + "0139",
      {
        ...{ f0: 0, f1: "1", f2: 2, f3: "3", f4: 4, f5: "5", f6: 6, f7: "7", f8: 8, f9: "9" },
        ...{ f10: undefined, f11: undefined },
      },
    ],
  ],
};

/** Integers of 64 bits at both ends, and at both ends of what a number keeps. */
export const wideIntegers: Example = {
  schema: schemaOf({ i64: atomic(INT64) }),
  rows: [
    ["0100ffffffffffffffff7f", { i64: 2n ** 63n - 1n }],
    ["010080808080808080808001", { i64: -(2n ** 63n) }],
    ["01008080808080808010", { i64: 2n ** 53n }],
    ["0100ffffffffffffff0f", { i64: 2 ** 53 - 1 }],
    ["010081808080808080f0ff01", { i64: -(2 ** 53) + 1 }],
    ["010080808080808080f0ff01", { i64: -(2n ** 53n) }],
  ],
};

/** What the coder writes for the rows, hex, and the rows that it reads from the encoding of the model. */
async function coded({ schema, rows }: Example): Promise<readonly (readonly [bytes: string, row: Row])[]> {
  const coder = new RowCoder(schema);
  return rows.map(([bytes, row]) => [
    Buffer.from(encode(coder, [row])).toString("hex"),
    decode(coder, Buffer.from(bytes, "hex")),
  ]);
}

export const scenarios = {
  doublesAndArrays: () => coded(examples.doublesAndArrays),
  nulls: () => coded(examples.nulls),
  positions: () => coded(examples.positions),
  maps: () => coded(examples.maps),
  numbers: () => coded(examples.numbers),
  manyFields: () => coded(manyFields),
  wideIntegers: () => coded(wideIntegers),
  byteOrderMark: async () =>
    decode<Row>(new RowCoder(schemaOf({ text: atomic(STRING) })), Buffer.from("010004efbbbf61", "hex")),
};
