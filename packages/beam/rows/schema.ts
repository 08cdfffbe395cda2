import "../sdk";
import { createHash } from "node:crypto";
import type { Coder } from "apache-beam/coders/coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType, Schema, type FieldType } from "apache-beam/proto/schema";
import { DATE } from "./date";

/** The type of a field; `T` are its values here. */
export interface RowType<T> {
  readonly proto: FieldType;
  /** Never set: it only carries the type. */
  readonly value?: T;
}

type RowTypes = Readonly<Record<string, RowType<unknown>>>;
type ValueOf<Type> = Type extends RowType<infer T> ? T : never;

/** The rows of a schema. */
export type RowOf<Types extends RowTypes> = { [Name in keyof Types]: ValueOf<Types[Name]> };

const rowType = <T>(typeInfo: FieldType["typeInfo"]): RowType<T> => ({ proto: { nullable: false, typeInfo } });
const atomic = <T>(atomicType: AtomicType): RowType<T> => rowType<T>({ oneofKind: "atomicType", atomicType });

export const stringType = atomic<string>(AtomicType.STRING);
/** Safe integers only; others are a RangeError. */
export const int64Type = atomic<number>(AtomicType.INT64);
export const doubleType = atomic<number>(AtomicType.DOUBLE);
export const booleanType = atomic<boolean>(AtomicType.BOOLEAN);
export const bytesType = atomic<Uint8Array>(AtomicType.BYTES);
/** `YYYY-MM-DD`. */
export const dateType = rowType<string>({ oneofKind: "logicalType", logicalType: DATE });

/** Rows in a field of a row. */
export function nestedRowType<Types extends RowTypes>(types: Types): RowType<RowOf<Types>> {
  return rowType({ oneofKind: "rowType", rowType: { schema: rowSchema(types) } });
}

/** The same type, where the value may be null. */
export function nullable<T>({ proto }: RowType<T>): RowType<T | null> {
  return { proto: { ...proto, nullable: true } };
}

/**
 * The schema of rows with these fields, in this order. Its id is made from what it says: the same fields are the same
 * schema in every process, and a pipeline built twice is the same pipeline.
 */
export function rowSchema(types: RowTypes): Schema {
  const schema = Schema.create({
    // `encodingPosition` stays unused: fields are written in the order of the schema.
    fields: Object.entries(types).map(([name, { proto }], i) => ({ name, type: proto, id: i, encodingPosition: i })),
  });
  const digest = createHash("sha256").update(Schema.toBinary(schema)).digest();
  // RFC 9562: version 8 (of one's own making), variant 10.
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  schema.id = digest.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return schema;
}

/** The coder of rows that other languages know: `beam:coder:row:v1`. */
export function rowCoder<Types extends RowTypes>(types: Types): Coder<RowOf<Types>> {
  return new RowCoder(rowSchema(types));
}
