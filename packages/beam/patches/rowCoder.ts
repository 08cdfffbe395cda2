/**
 * Patches the SDK's coder for rows (`beam:coder:row:v1`); it keeps the encoding of the Beam model:
 * - The constructor rejects FLOAT, DOUBLE, BYTE and map fields.
 * - INT16 is written as a varint (Java: two bytes), a negative INT32 in ten bytes (Java accepts at most five).
 * - Encoding positions are sorted as strings, so that fields are written by the coders of other fields.
 * - Nulls are decoded as undefined, which JSON drops, and a string loses a byte order mark at its beginning.
 */
import type { Reader, Writer } from "protobufjs";
import { Context, writeRawBytes, type Coder } from "apache-beam/coders/coders";
import { IterableCoder } from "apache-beam/coders/required_coders";
import { BoolCoder, DoubleCoder, NullableCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType, type FieldType, type MapType, type Schema } from "apache-beam/proto/schema";

type Encode<T> = (value: T, writer: Writer) => void;
type Decode<T> = (reader: Reader) => T;

/** A coder for a part of a row. It never appears in a pipeline by itself. */
function partCoder<T>(encode: Encode<T>, decode: Decode<T>): Coder<T> {
  return {
    encode,
    decode,
    toProto: () => {
      throw new Error("The coder of a field cannot be used outside a RowCoder");
    },
  };
}

/** Numbers of a fixed width, big endian. */
function fixedWidth(bytes: number, set: (view: DataView, value: number) => void, get: (view: DataView) => number) {
  return partCoder<number>(
    (value, writer) => {
      const buffer = new Uint8Array(bytes);
      set(new DataView(buffer.buffer), value);
      writeRawBytes(buffer, writer);
    },
    (reader) => {
      const { buf, pos } = reader;
      reader.skip(bytes);
      return get(new DataView(buf.buffer, buf.byteOffset + pos, bytes));
    },
  );
}

function integer(value: number, bits: number): number {
  const limit = 2 ** (bits - 1);
  if (Number.isInteger(value) && value >= -limit && value < limit) return value;
  throw new RangeError(`RowCoder: not an integer of ${bits} bits: ${String(value)}`);
}

const ATOMIC_CODERS: ReadonlyMap<AtomicType, Coder<unknown>> = new Map<AtomicType, Coder<unknown>>([
  [
    AtomicType.BYTE,
    fixedWidth(
      1,
      (view, n) => view.setInt8(0, integer(n, 8)),
      (view) => view.getInt8(0),
    ),
  ],
  [
    AtomicType.INT16,
    fixedWidth(
      2,
      (view, n) => view.setInt16(0, integer(n, 16)),
      (view) => view.getInt16(0),
    ),
  ],
  [
    AtomicType.INT32,
    partCoder<number>(
      (value, writer) => void writer.uint32(integer(value, 32)),
      (reader) => reader.int32(),
    ),
  ],
  [AtomicType.INT64, new VarIntCoder()],
  [
    AtomicType.FLOAT,
    fixedWidth(
      4,
      (view, n) => view.setFloat32(0, n),
      (view) => view.getFloat32(0),
    ),
  ],
  [AtomicType.DOUBLE, new DoubleCoder()],
  [
    AtomicType.STRING,
    partCoder<string>(
      (value, writer) => void writer.bytes(Buffer.from(value)),
      (reader) => Buffer.from(reader.bytes()).toString(),
    ),
  ],
  [AtomicType.BOOLEAN, new BoolCoder()],
  [
    AtomicType.BYTES,
    partCoder<Uint8Array>(
      (value, writer) => void writer.bytes(value),
      (reader) => Uint8Array.from(reader.bytes()),
    ),
  ],
]);

/** `Map`s in Java's encoding: the size in four bytes, then each key and value. */
function mapCoder({ keyType, valueType }: MapType): Coder<Map<unknown, unknown>> {
  const key = elementCoder(keyType, "map key");
  const value = elementCoder(valueType, "map value");
  const size = fixedWidth(
    4,
    (view, n) => view.setInt32(0, n),
    (view) => view.getInt32(0),
  );
  return partCoder(
    (map, writer) => {
      size.encode(map.size, writer, Context.needsDelimiters);
      for (const [k, v] of map) {
        key.encode(k, writer, Context.needsDelimiters);
        value.encode(v, writer, Context.needsDelimiters);
      }
    },
    (reader) => {
      const map = new Map<unknown, unknown>();
      for (let left = size.decode(reader, Context.needsDelimiters); left > 0; left--) {
        const k = key.decode(reader, Context.needsDelimiters);
        map.set(k, value.decode(reader, Context.needsDelimiters));
      }
      return map;
    },
  );
}

/** The coder for elements of arrays, iterables and maps. */
function elementCoder(type: FieldType | undefined, what: string): Coder<unknown> {
  if (!type) throw new Error(`RowCoder: the type of a ${what} is missing`);
  const coder = valueCoder(type);
  if (!type.nullable) return coder;
  const nullable = new NullableCoder(coder);
  return partCoder<unknown>(
    (value, writer) => nullable.encode(value, writer, Context.needsDelimiters),
    (reader) => nullable.decode(reader, Context.needsDelimiters) ?? null,
  );
}

const sdkCoderFromType = RowCoder.prototype.getNonNullCoderFromType;

/** The coder for the non-null values of a type. */
function valueCoder(type: FieldType): Coder<unknown> {
  const { typeInfo } = type;
  switch (typeInfo.oneofKind) {
    case "atomicType": {
      const coder = ATOMIC_CODERS.get(typeInfo.atomicType);
      if (!coder) throw new Error(`RowCoder: unknown atomic type ${typeInfo.atomicType}`);
      return coder;
    }
    case "arrayType":
      return new IterableCoder(elementCoder(typeInfo.arrayType.elementType, "array element"));
    case "iterableType":
      return new IterableCoder(elementCoder(typeInfo.iterableType.elementType, "iterable element"));
    case "mapType":
      return mapCoder(typeInfo.mapType);
    case "rowType":
      if (!typeInfo.rowType.schema) throw new Error("RowCoder: the schema of a nested row is missing");
      return new RowCoder(typeInfo.rowType.schema);
    case "logicalType":
    case undefined:
      // Logical types are registered with the SDK.
      return sdkCoderFromType.call(RowCoder.prototype, type) as Coder<unknown>;
  }
}

interface RowField {
  readonly name: string;
  readonly nullable: boolean;
  readonly coder: Coder<unknown>;
}

/** What encoding and decoding need to know of a schema. */
interface RowPlan {
  readonly names: readonly string[];
  /** In the order of the encoding. */
  readonly fields: readonly RowField[];
}

type Row = Record<string, unknown>;

const plans = new WeakMap<RowCoder, RowPlan>();

function planOf(coder: RowCoder): RowPlan {
  let plan = plans.get(coder);
  if (!plan) {
    const { schema } = coder as unknown as { schema: Schema };
    const fields = schema.encodingPositionsSet
      ? [...schema.fields].sort((a, b) => a.encodingPosition - b.encodingPosition)
      : schema.fields;
    plan = {
      names: schema.fields.map(({ name }) => name),
      fields: fields.map(({ name, type }) => {
        if (!type) throw new Error(`RowCoder: the type of field ${name} is missing`);
        return { name, nullable: type.nullable, coder: valueCoder(type) };
      }),
    };
    plans.set(coder, plan);
  }
  return plan;
}

/** One bit for each field, 1 for null; empty when no field is null. */
function nullBits(row: Row, fields: readonly RowField[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(fields.length / 8));
  let used = 0;
  for (const [i, { name, nullable }] of fields.entries()) {
    if (row[name] != null) continue;
    if (!nullable) throw new Error(`RowCoder: field ${name} is required, but the row has no value for it`);
    bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
    used = (i >> 3) + 1;
  }
  return bits.subarray(0, used);
}

function encodeRow(row: Row, { fields }: RowPlan, writer: Writer): void {
  writer.uint32(fields.length);
  writer.bytes(nullBits(row, fields));
  for (const { name, coder } of fields) {
    const value = row[name];
    if (value != null) coder.encode(value, writer, Context.needsDelimiters);
  }
}

/** A row of an older or newer schema has fewer or more fields at its end: missing ones become null, extra ones are ignored. */
function decodeRow({ names, fields }: RowPlan, reader: Reader): Row {
  const written = reader.uint32();
  const nulls = reader.bytes();
  // In the order of the schema, not of the encoding.
  const row: Row = Object.fromEntries(names.map((name) => [name, null]));
  for (const [i, { name, coder }] of fields.slice(0, written).entries()) {
    const isNull = ((nulls[i >> 3] ?? 0) >> (i & 7)) & 1;
    if (!isNull) row[name] = coder.decode(reader, Context.needsDelimiters);
  }
  return row;
}

/** Patch `rowCoder`. */
export function patchRowCoder(): void {
  // The constructor creates a coder for each field; the patched methods do not use them.
  RowCoder.prototype.getNonNullCoderFromType = valueCoder;
  RowCoder.prototype.encode = function (row: Row, writer) {
    encodeRow(row, planOf(this), writer);
  };
  RowCoder.prototype.decode = function (reader) {
    return decodeRow(planOf(this), reader);
  };
}
