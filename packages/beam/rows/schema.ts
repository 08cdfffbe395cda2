import "../sdk";
import { createHash } from "node:crypto";
import type { Coder } from "apache-beam/coders/coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType, Schema, type FieldType } from "apache-beam/proto/schema";
import { DATE } from "./date";

/** The type of a field. `T` is the type of its values in TypeScript. */
export interface RowType<T> {
  readonly proto: FieldType;
  /** Never set; carries the type `T`. */
  readonly value?: T;
}

type RowTypes = Readonly<Record<string, RowType<unknown>>>;
type ValueOf<Type> = Type extends RowType<infer T> ? T : never;

/** The type of the rows of a schema. */
export type RowOf<Types extends RowTypes> = { [Name in keyof Types]: ValueOf<Types[Name]> };

const rowType = <T>(typeInfo: FieldType["typeInfo"]): RowType<T> => ({ proto: { nullable: false, typeInfo } });
const atomic = <T>(atomicType: AtomicType): RowType<T> => rowType<T>({ oneofKind: "atomicType", atomicType });

export const stringType = atomic<string>(AtomicType.STRING);
/**
 * 64-bit integers as numbers. A value beyond ±2^53, which a number would round, is decoded as a bigint; encoding a number
 * that is not a safe integer throws a RangeError with the name of the field. {@link wideInt64Type} has the type for both.
 */
export const int64Type = atomic<number>(AtomicType.INT64);
/** 64-bit integers: numbers where that is exact, otherwise bigints. */
export const wideInt64Type = atomic<number | bigint>(AtomicType.INT64);
export const doubleType = atomic<number>(AtomicType.DOUBLE);
export const booleanType = atomic<boolean>(AtomicType.BOOLEAN);
export const bytesType = atomic<Uint8Array>(AtomicType.BYTES);
/** `YYYY-MM-DD`. */
export const dateType = rowType<string>({ oneofKind: "logicalType", logicalType: DATE });

/** A row as the value of a field. */
export function nestedRowType<Types extends RowTypes>(types: Types): RowType<RowOf<Types>> {
  return rowType({ oneofKind: "rowType", rowType: { schema: rowSchema(types) } });
}

/** The same type, with null as a further value. As in the SDK, null is decoded as undefined. */
export function nullable<T>({ proto }: RowType<T>): RowType<T | null | undefined> {
  return { proto: { ...proto, nullable: true } };
}

/**
 * The schema of rows with these fields, in this order. Its id is a hash of its content: the same fields have the same id
 * in every process, and a pipeline that is built twice is the same pipeline.
 */
export function rowSchema(types: RowTypes): Schema {
  const schema = Schema.create({
    // `encodingPosition` stays unused: fields are written in the order of the schema.
    fields: Object.entries(types).map(([name, { proto }], i) => ({ name, type: proto, id: i, encodingPosition: i })),
  });
  const digest = createHash("sha256").update(Schema.toBinary(schema)).digest();
  // RFC 9562: version 8 (custom), variant 10.
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  schema.id = digest.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return schema;
}

/** The coder for rows that all Beam SDKs know: `beam:coder:row:v1`. */
export function rowCoder<Types extends RowTypes>(types: Types): Coder<RowOf<Types>> {
  return new RowCoder(rowSchema(types));
}
