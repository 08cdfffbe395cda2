/** Coders for the values of the fields of a row, in the encoding of the Beam model. */
import type { Reader, Writer } from "protobufjs";
import { Context, writeRawBytes, type Coder } from "apache-beam/coders/coders";
import { IterableCoder } from "apache-beam/coders/required_coders";
import { BoolCoder, DoubleCoder, NullableCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { registerLogicalType, RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType, type FieldType, type LogicalType, type MapType } from "apache-beam/proto/schema";

type Encode<T> = (value: T, writer: Writer) => void;
type Decode<T> = (reader: Reader) => T;

/** A coder for a part of a row. It never appears in a pipeline by itself. */
export function partCoder<T>(encode: Encode<T>, decode: Decode<T>): Coder<T> {
  return {
    encode,
    decode,
    toProto: () => {
      throw new Error("The coder of a field cannot be used outside a RowCoder");
    },
  };
}

/** Values of a fixed width, big endian. */
export function fixedWidth<T>(
  bytes: number,
  set: (view: DataView, value: T) => void,
  get: (view: DataView) => T,
): Coder<T> {
  return partCoder<T>(
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
  throw new RangeError(`not an integer of ${bits} bits: ${String(value)}`);
}

const ATOMIC_CODERS: ReadonlyMap<AtomicType, Coder<unknown>> = new Map<AtomicType, Coder<unknown>>([
  [
    AtomicType.BYTE,
    fixedWidth<number>(
      1,
      (view, n) => view.setInt8(0, integer(n, 8)),
      (view) => view.getInt8(0),
    ),
  ],
  [
    AtomicType.INT16,
    fixedWidth<number>(
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
    fixedWidth<number>(
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
  const size = fixedWidth<number>(
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

/** The coder for elements of arrays, iterables and maps; null is decoded as undefined, as in fields. */
function elementCoder(type: FieldType | undefined, what: string): Coder<unknown> {
  if (!type) throw new Error(`RowCoder: the type of a ${what} is missing`);
  const coder = valueCoder(type);
  return type.nullable ? new NullableCoder(coder) : coder;
}

/** Creates the coder for the values of a logical type. `representation` creates the coder for their representation. */
export type LogicalTypeCoder = (type: LogicalType, representation: () => Coder<unknown>) => Coder<unknown>;

const logicalTypeCoders = new Map<string, LogicalTypeCoder>();

/** Registers a logical type of rows whose coder depends on its argument, or is not that of its representation. */
export function registerLogicalTypeCoder(urn: string, create: LogicalTypeCoder): void {
  logicalTypeCoders.set(urn, create);
}

interface WithClosure {
  __closure(): { logicalTypes: ReadonlyMap<string, unknown> };
}

const sdkCoderFromType = RowCoder.prototype.getNonNullCoderFromType;
/** What `registerLogicalType` of the SDK has registered. */
const { logicalTypes: sdkLogicalTypes } = (registerLogicalType as unknown as WithClosure).__closure();

/** The values of an unknown logical type are those of its representation, as in Java. */
function logicalTypeCoder(type: FieldType, logicalType: LogicalType): Coder<unknown> {
  const { urn, representation } = logicalType;
  const representationCoder = (): Coder<unknown> => elementCoder(representation, `representation of ${urn}`);
  const create = logicalTypeCoders.get(urn);
  if (create) return create(logicalType, representationCoder);
  if (sdkLogicalTypes.has(urn)) return sdkCoderFromType.call(RowCoder.prototype, type) as Coder<unknown>;
  return representationCoder();
}

/** The coder for the non-null values of a type. */
export function valueCoder(type: FieldType): Coder<unknown> {
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
      return logicalTypeCoder(type, typeInfo.logicalType);
    case undefined:
      throw new Error("RowCoder: a type without type info");
  }
}
