/**
 * Patches the SDK's coder for rows (`beam:coder:row:v1`); it keeps the encoding of the Beam model:
 * - The constructor rejects FLOAT, DOUBLE, BYTE and map fields, and logical types that are not registered.
 * - INT16 is written as a varint (Java: two bytes), a negative INT32 in ten bytes (Java accepts at most five).
 * - Encoding positions are sorted as strings, so that fields are written by the coders of other fields.
 * - A string loses a byte order mark at its beginning.
 * - Errors do not name the field.
 *
 * As in the SDK, a field that is null or that the row does not contain is decoded as undefined.
 */
import type { Reader, Writer } from "protobufjs";
import { Context, type Coder } from "apache-beam/coders/coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import type { Schema } from "apache-beam/proto/schema";
import { valueCoder } from "./fieldCoders";

interface RowField {
  readonly name: string;
  readonly nullable: boolean;
  readonly coder: Coder<unknown>;
}

/** What encoding and decoding need to know of a schema. */
interface RowPlan {
  /** The fields in the order of the schema, without values. */
  readonly empty: readonly (readonly [name: string, value: undefined])[];
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
      empty: schema.fields.map(({ name }) => [name, undefined]),
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

/** The error of a field, with its name. */
function fieldError(name: string, cause: unknown): Error {
  const message = `field ${name}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return cause instanceof RangeError ? new RangeError(message, { cause }) : new Error(message, { cause });
}

function encodeRow(row: Row, { fields }: RowPlan, writer: Writer): void {
  writer.uint32(fields.length);
  writer.bytes(nullBits(row, fields));
  let field = "";
  try {
    for (const { name, coder } of fields) {
      const value = row[name];
      field = name;
      if (value != null) coder.encode(value, writer, Context.needsDelimiters);
    }
  } catch (cause) {
    throw fieldError(field, cause);
  }
}

/** A row of an older or newer schema has fewer or more fields at its end: missing ones are undefined, extra ones are ignored. */
function decodeRow({ empty, fields }: RowPlan, reader: Reader): Row {
  const written = reader.uint32();
  const nulls = reader.bytes();
  // In the order of the schema, not of the encoding.
  const row: Row = Object.fromEntries(empty);
  let field = "";
  try {
    for (let i = 0; i < fields.length && i < written; i++) {
      const { name, coder } = fields[i] as RowField;
      field = name;
      const isNull = ((nulls[i >> 3] ?? 0) >> (i & 7)) & 1;
      if (!isNull) row[name] = coder.decode(reader, Context.needsDelimiters);
    }
  } catch (cause) {
    throw fieldError(field, cause);
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
