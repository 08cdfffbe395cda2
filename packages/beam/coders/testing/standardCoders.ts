/** The examples of the Beam model: standard_coders.yaml, a copy of the file in Beam 2.77.0. Every SDK has to agree with it. */
import "../../sdk";
import { readFileSync } from "node:fs";
import path from "node:path";
import yaml from "js-yaml";
import Long from "long";
import { AtomicType, Schema, type FieldType } from "apache-beam/proto/schema";
import { GlobalWindow, IntervalWindow, Timing, type WindowedValue } from "apache-beam/values";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/** A coder of the file. */
export interface CoderSpec {
  readonly urn: string;
  readonly payload?: string;
  readonly components?: readonly CoderSpec[];
  readonly non_deterministic?: boolean;
  /** Encoded rests of iterables by token, as text. */
  readonly state?: Readonly<Record<string, string>>;
}

interface Section {
  readonly coder: CoderSpec;
  /** Whether the examples are for the nested context; undefined: for both contexts. */
  readonly nested?: boolean;
  /** Values by their encoding, as text. */
  readonly examples: Readonly<Record<string, unknown>>;
}

/** A coder with examples. */
export interface StandardCoder {
  readonly coder: CoderSpec;
  readonly contexts: readonly ("wholeStream" | "needsDelimiters")[];
  /** Whether values have more than one encoding. */
  readonly isDeterministic: boolean;
  readonly state: ReadonlyMap<string, Uint8Array>;
  readonly examples: readonly { readonly encoded: Uint8Array; readonly value: unknown }[];
}

/** In the file a character is a byte. */
export const toBytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

/** Integers without rounding: js-yaml makes a number of every one. */
const int64 = new yaml.Type("tag:yaml.org,2002:int", {
  kind: "scalar",
  resolve: (data) => /^-?\d+$/.test(String(data)),
  construct: (data) => (Number.isSafeInteger(Number(data)) ? Number(data) : BigInt(data)),
});

type Json = Readonly<Record<string, unknown>>;

const toLong = (value: unknown): Long => Long.fromString(String(value));

/** The value of a field from the JSON of the file, in which logical types have the values of their representation. */
function fieldValue(type: FieldType | undefined, json: unknown): unknown {
  if (json === null || json === undefined) return undefined;
  const { typeInfo } = type as FieldType;
  switch (typeInfo.oneofKind) {
    case "atomicType":
      if (typeInfo.atomicType === AtomicType.BYTES) return toBytes(json as string);
      if (typeInfo.atomicType === AtomicType.DOUBLE) return Number(json);
      if (typeInfo.atomicType === AtomicType.FLOAT) return Math.fround(Number(json));
      return json;
    case "arrayType":
      return (json as unknown[]).map((element) => fieldValue(typeInfo.arrayType.elementType, element));
    case "mapType":
      return new Map(Object.entries(json).map(([key, v]) => [key, fieldValue(typeInfo.mapType.valueType, v)]));
    case "rowType":
      return rowValue(typeInfo.rowType.schema as Schema, json as Json);
    case "logicalType":
      return logicalValue(typeInfo.logicalType.urn, typeInfo.logicalType.representation, json);
    case "iterableType":
    case undefined:
      throw new Error(`no example has a ${String(typeInfo.oneofKind)}`);
  }
}

function logicalValue(urn: string, representation: FieldType | undefined, json: unknown): unknown {
  switch (urn) {
    case "beam:logical_type:decimal:v1":
      return json;
    case "beam:logical_type:millis_instant:v1": // as eight shifted bytes
      return Number(BigInt(json as bigint) + 2n ** 63n);
    case "beam:logical_type:micros_instant:v1": {
      const { seconds, micros } = json as { seconds: number; micros: number };
      return seconds * 1e6 + micros;
    }
    default:
      return fieldValue(representation, json);
  }
}

function rowValue(schema: Schema, json: Json): Json {
  return Object.fromEntries(schema.fields.map(({ name, type }) => [name, fieldValue(type, json[name])]));
}

interface JsonPane {
  readonly is_first: boolean;
  readonly is_last: boolean;
  readonly timing: keyof typeof Timing;
  readonly index: number;
  readonly on_time_index: number;
}

function paneOf(json: unknown): WindowedValue<unknown>["pane"] {
  const { is_first, is_last, timing, index, on_time_index } = json as JsonPane;
  return { isFirst: is_first, isLast: is_last, timing: Timing[timing], index, onTimeIndex: on_time_index };
}

/** The value of a coder from the JSON of the file. */
function valueOf({ urn, payload = "", components = [] }: CoderSpec, json: unknown): unknown {
  const part = (i: number, value: unknown): unknown => valueOf(components[i] as CoderSpec, value);
  const fields = json as Json;
  switch (urn.replace(/^beam:coder:(.*):v1$/, "$1")) {
    case "bool":
    case "string_utf8":
    case "varint":
      return json;
    case "bytes":
      return Uint8Array.from(Buffer.from(json as string));
    case "double":
      return Number(json);
    case "nullable":
      return json === null ? undefined : part(0, json);
    case "kv":
      return { key: part(0, fields["key"]), value: part(1, fields["value"]) };
    case "iterable":
    case "state_backed_iterable":
      return (json as unknown[]).map((element) => part(0, element));
    case "global_window":
      return new GlobalWindow();
    case "interval_window": {
      const end = toLong(fields["end"]);
      return new IntervalWindow(end.sub(toLong(fields["span"])), end);
    }
    case "custom_window":
      return part(0, fields["window"]);
    case "sharded_key":
      return { shardId: toBytes(fields["shardId"] as string), key: part(0, fields["key"]) };
    case "windowed_value":
    case "param_windowed_value":
      return {
        value: part(0, fields["value"]),
        timestamp: toLong(fields["timestamp"]),
        windows: (fields["windows"] as unknown[]).map((window) => part(1, window)),
        pane: paneOf(fields["pane"]),
      };
    case "row":
      return rowValue(Schema.fromBinary(toBytes(payload)), fields);
    case "timer":
      return {
        key: part(0, fields["userKey"]),
        tag: fields["dynamicTimerTag"],
        windows: (fields["windows"] as unknown[]).map((window) => part(1, window)),
        clear: fields["clearBit"],
        ...(!fields["clearBit"] && {
          fireTimestamp: toLong(fields["fireTimestamp"]),
          holdTimestamp: toLong(fields["holdTimestamp"]),
          pane: paneOf(fields["pane"]),
        }),
      };
    default:
      throw new Error(`no values for ${urn}`);
  }
}

const file = path.join(packageRootOf(__filename), "coders", "testing", "standard_coders.yaml");

/** The coders of the file, in its order, each with its examples. */
export function standardCoders(): StandardCoder[] {
  const schema = yaml.DEFAULT_SCHEMA.extend({ implicit: [int64] });
  const sections = yaml.loadAll(readFileSync(file, "utf8"), null, { schema }) as Section[];
  return sections.map(({ coder, nested, examples }) => ({
    coder,
    contexts: nested === undefined ? ["wholeStream", "needsDelimiters"] : [nested ? "needsDelimiters" : "wholeStream"],
    isDeterministic: !coder.non_deterministic,
    state: new Map(Object.entries(coder.state ?? {}).map(([token, rest]) => [token, toBytes(rest)])),
    examples: Object.entries(examples).map(([encoded, json]) => ({
      encoded: toBytes(encoded),
      value: valueOf(coder, json),
    })),
  }));
}
