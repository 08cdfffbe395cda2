import "../sdk";
import protobufjs from "protobufjs";
import { P, type PCollection } from "apache-beam";
import { Context } from "apache-beam/coders/coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import { Schema } from "apache-beam/proto/schema";
import { rawExternalTransform } from "apache-beam/transforms/external";
import { withName, type AsyncPTransform } from "apache-beam/transforms/transform";
import { discoverConfigurations } from "./discovery";

/** The inputs or outputs of a transform by name. */
export type Collections = Record<string, PCollection<unknown>>;

const PAYLOAD_URN = "beam:expansion:payload:schematransform:v1";

/** From Beam's external_transforms.proto; the protos of the SDK are older than schema transforms. */
const { root } = protobufjs.parse(`
  syntax = "proto3";
  message SchemaTransformPayload {
    string identifier = 1;
    bytes configuration_schema = 2;
    bytes configuration_row = 3;
  }
`);
const Payload = root.lookupType("SchemaTransformPayload");

/** The payload of an expansion request. Fields that are missing in the configuration are null. */
function payloadOf(urn: string, schema: Schema, configuration: Readonly<Record<string, unknown>>): Uint8Array {
  const names = schema.fields.map(({ name }) => name);
  const unknown = Object.keys(configuration).filter((name) => !names.includes(name));
  if (unknown.length) {
    throw new Error(`${urn} has no configuration field ${unknown.join(", ")}; it has ${names.join(", ")}`);
  }
  const row = new protobufjs.Writer();
  try {
    new RowCoder(schema).encode(configuration, row, Context.wholeStream);
  } catch (cause) {
    throw new Error(`The configuration of ${urn} does not match its schema: ${(cause as Error).message}`, {
      cause,
    });
  }
  return Payload.encode({
    identifier: urn,
    configurationSchema: Schema.toBinary(schema),
    configurationRow: row.finish(),
  }).finish();
}

/**
 * A schema transform (`beam:schematransform:…`): a transform of another language, expanded by an expansion service, with a
 * row as its configuration and rows as its data.
 *
 * @param name name of the step
 * @param configuration values by field name; the service defines the schema. int64 values are numbers
 * @param address `host:port` of the expansion service
 * @throws Error (when applied) for an unknown transform or configuration field, or with the error of the service
 */
export function schemaTransform(
  name: string,
  urn: string,
  configuration: Readonly<Record<string, unknown>>,
  address: string,
): AsyncPTransform<Collections, Collections> {
  return withName(name, async (input: Collections) => {
    const schema = (await discoverConfigurations(address)).get(urn);
    if (!schema) throw new Error(`The expansion service at ${address} has no schema transform ${urn}`);
    const payload = payloadOf(urn, schema, configuration);
    // Also a single output has a name.
    const options = { inferPValueType: false };
    const external = rawExternalTransform<Collections, Collections>(PAYLOAD_URN, payload, address, options);
    return P(input).applyAsync(withName("External", external));
  });
}
