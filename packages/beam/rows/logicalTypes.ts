/**
 * Logical types of the Beam model for the fields of rows. Types that are not registered have the values of their
 * representation: `beam:logical_type:timestamp:v1`, for example, is a row with `seconds` and `subseconds`.
 */
import "../sdk";
import { Context, type Coder } from "apache-beam/coders/coders";
import { AtomicType, FieldValue, LogicalType, type FieldType } from "apache-beam/proto/schema";
import { fixedWidth, partCoder, registerLogicalTypeCoder } from "../patches/fieldCoders";
import { checkInt64, narrowInt64 } from "../patches/int64";
import { decodeDecimal, encodeDecimal } from "./decimal";
import { bytesType, int64Type, nestedRowType, stringType, type RowType } from "./schema";

const DECIMAL = "beam:logical_type:decimal:v1";
const MILLIS_INSTANT = "beam:logical_type:millis_instant:v1";
const MICROS_INSTANT = "beam:logical_type:micros_instant:v1";
const FIXED_BYTES = "beam:logical_type:fixed_bytes:v1";
const VAR_BYTES = "beam:logical_type:var_bytes:v1";
const FIXED_CHAR = "beam:logical_type:fixed_char:v1";
const VAR_CHAR = "beam:logical_type:var_char:v1";

function logicalType<T>(urn: string, representation: RowType<unknown>, length?: number): RowType<T> {
  const argumentType: FieldType = {
    nullable: false,
    typeInfo: { oneofKind: "atomicType", atomicType: AtomicType.INT32 },
  };
  const type = LogicalType.create({ urn, representation: representation.proto });
  if (length !== undefined) {
    type.argumentType = argumentType;
    type.argument = FieldValue.create({
      fieldValue: { oneofKind: "atomicValue", atomicValue: { value: { oneofKind: "int32", int32: length } } },
    });
  }
  return { proto: { nullable: false, typeInfo: { oneofKind: "logicalType", logicalType: type } } };
}

/** Decimal numbers of any size and scale as text, such as `-12.50`. The scale is kept: `1.0` is not `1.00`. */
export const decimalType = logicalType<string>(DECIMAL, bytesType);
/** Instants as epoch milliseconds; beyond 2^53 as a bigint. */
export const millisInstantType = logicalType<number>(MILLIS_INSTANT, int64Type);
/** Instants as epoch microseconds; beyond 2^53 (from the year 2255) as a bigint. */
export const microsInstantType = logicalType<number>(
  MICROS_INSTANT,
  nestedRowType({ seconds: int64Type, micros: int64Type }),
);
/** Byte strings of this length. Shorter ones are padded with zeros when they are encoded; longer ones are an error. */
export const fixedBytesType = (length: number) => logicalType<Uint8Array>(FIXED_BYTES, bytesType, length);
/** Byte strings of at most this length; longer ones are an error when they are encoded. */
export const varBytesType = (maxLength: number) => logicalType<Uint8Array>(VAR_BYTES, bytesType, maxLength);
/** Texts of this length, in UTF-16 code units. Shorter ones are padded with spaces; longer ones are an error. */
export const fixedCharType = (length: number) => logicalType<string>(FIXED_CHAR, stringType, length);
/** Texts of at most this length, in UTF-16 code units; longer ones are an error when they are encoded. */
export const varCharType = (maxLength: number) => logicalType<string>(VAR_CHAR, stringType, maxLength);

function lengthOf({ urn, argument }: LogicalType): number {
  const value = argument?.fieldValue;
  if (value?.oneofKind === "atomicValue" && value.atomicValue.value.oneofKind === "int32") {
    return value.atomicValue.value.int32;
  }
  throw new Error(`RowCoder: ${urn} has no length`);
}

/** Registers a type whose values have a greatest length; `pad` lengthens shorter ones when they are encoded. */
function registerSized<T extends { readonly length: number }>(urn: string, pad: (value: T, length: number) => T): void {
  registerLogicalTypeCoder(urn, (type, representation) => {
    const length = lengthOf(type);
    const coder = representation();
    return partCoder<T>(
      (value, writer) => {
        if (value.length > length) throw new RangeError(`longer than ${length}: ${value.length}`);
        coder.encode(pad(value, length), writer, Context.needsDelimiters);
      },
      (reader) => coder.decode(reader, Context.needsDelimiters) as T,
    );
  });
}

function paddedBytes(value: Uint8Array, length: number): Uint8Array {
  if (value.length === length) return value;
  const padded = new Uint8Array(length);
  padded.set(value);
  return padded;
}

/** As Java's `InstantCoder`: eight bytes, shifted so that they sort as unsigned numbers. */
const millisCoder = fixedWidth<number | bigint>(
  8,
  (view, millis) => view.setBigUint64(0, BigInt(checkInt64(millis)) + 2n ** 63n),
  (view) => narrowInt64(view.getBigUint64(0) - 2n ** 63n),
);

const MICROS = 1_000_000;

interface SecondsAndMicros {
  readonly seconds: number | bigint;
  readonly micros: number | bigint;
}

function toSeconds(value: number | bigint): SecondsAndMicros {
  const total = BigInt(checkInt64(value));
  const micros = ((total % BigInt(MICROS)) + BigInt(MICROS)) % BigInt(MICROS);
  return { seconds: narrowInt64((total - micros) / BigInt(MICROS)), micros: Number(micros) };
}

function microsCoder(representation: Coder<unknown>): Coder<unknown> {
  return partCoder<number | bigint>(
    (value, writer) => void representation.encode(toSeconds(value), writer, Context.needsDelimiters),
    (reader) => {
      const { seconds, micros } = representation.decode(reader, Context.needsDelimiters) as SecondsAndMicros;
      return narrowInt64(BigInt(seconds) * BigInt(MICROS) + BigInt(micros));
    },
  );
}

registerLogicalTypeCoder(DECIMAL, () => partCoder(encodeDecimal, decodeDecimal));
registerLogicalTypeCoder(MILLIS_INSTANT, () => millisCoder);
registerLogicalTypeCoder(MICROS_INSTANT, (_type, representation) => microsCoder(representation()));
registerSized<Uint8Array>(FIXED_BYTES, paddedBytes);
registerSized<Uint8Array>(VAR_BYTES, (value) => value);
registerSized<string>(FIXED_CHAR, (value, length) => value.padEnd(length, " "));
registerSized<string>(VAR_CHAR, (value) => value);
