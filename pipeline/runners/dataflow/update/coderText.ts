import "@eventlogger/beam/sdk";
import { createHash } from "node:crypto";
import type { Components } from "apache-beam/proto/beam_runner_api";
import { Schema, type FieldType } from "apache-beam/proto/schema";

const ROW = "beam:coder:row:v1";
/** A coder that Java has serialized: the bytes may differ between two builds of the same coder. */
const JAVA = "beam:coders:javasdk:0.1";

/** The fields of a schema without its ids, which are random in each build. */
function schemaText({ fields }: Schema): string {
  return `{${fields.map(({ name, type }) => `${name}: ${typeText(type)}`).join(", ")}}`;
}

function typeText(type: FieldType | undefined): string {
  if (!type) return "?";
  const { typeInfo, nullable } = type;
  const mark = nullable ? "?" : "";
  switch (typeInfo.oneofKind) {
    case "rowType":
      return `${typeInfo.rowType.schema ? schemaText(typeInfo.rowType.schema) : "{}"}${mark}`;
    case "arrayType":
      return `array of ${typeText(typeInfo.arrayType.elementType)}${mark}`;
    case "iterableType":
      return `iterable of ${typeText(typeInfo.iterableType.elementType)}${mark}`;
    case "mapType":
      return `map of ${typeText(typeInfo.mapType.keyType)} to ${typeText(typeInfo.mapType.valueType)}${mark}`;
    case "logicalType":
      return `${typeInfo.logicalType.urn}${mark}`;
    case "atomicType":
      return `type ${typeInfo.atomicType}${mark}`;
    case undefined:
      return "?";
  }
}

function payloadText(urn: string, payload: Uint8Array): string {
  if (payload.length === 0 || urn === JAVA) return "";
  if (urn === ROW) return ` ${schemaText(Schema.fromBinary(payload))}`;
  return ` #${createHash("sha256").update(payload).digest("hex").slice(0, 8)}`;
}

/**
 * A coder with its components as text: two coders with different texts do not read each other's bytes. `kv<string_utf8, bytes>`;
 * other payloads than schemas are shown by their hash. A coder that Java has serialized is only `javasdk:0.1`.
 */
export function coderText({ coders }: Pick<Components, "coders">, id: string): string {
  const coder = coders[id];
  const { urn = "?", payload = new Uint8Array() } = coder?.spec ?? {};
  const name = urn.replace(/^beam:coders?:/, "").replace(/:v1$/, "");
  const parts = (coder?.componentCoderIds ?? []).map((part) => coderText({ coders }, part));
  return `${name}${parts.length ? `<${parts.join(", ")}>` : ""}${payloadText(urn, payload)}`;
}
