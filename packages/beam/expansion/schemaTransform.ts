import "../sdk";
import protobufjs = require("protobufjs");
import { P, type PCollection } from "apache-beam";
import { Context } from "apache-beam/coders/coders";
import { RowCoder } from "apache-beam/coders/row_coder";
import { Schema } from "apache-beam/proto/schema";
import { rawExternalTransform } from "apache-beam/transforms/external";
import { withName, type AsyncPTransform } from "apache-beam/transforms/transform";
import { discoverConfigurations } from "./discovery";

/** Collections by the names that a transform gives its inputs or outputs. */
export type Collections = Record<string, PCollection<unknown>>;

const PAYLOAD_URN = "beam:expansion:payload:schematransform:v1";

/** Of Beam's external_transforms.proto; the SDK's protos are older than schema transforms. */
const { root } = protobufjs.parse(`
  syntax = "proto3";
  message SchemaTransformPayload {
    string identifier = 1;
    bytes configuration_schema = 2;
    bytes configuration_row = 3;
  }
`);
const Payload = root.lookupType("SchemaTransformPayload");

/** What an expansion service is told to expand. Fields that the configuration leaves out are null. */
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
    throw new Error(`The configuration of ${urn} is not as its schema wants it: ${(cause as Error).message}`, {
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
 * A transform of another language that takes its configuration as a row and its data as rows
 * (`beam:schematransform:…`), expanded by an expansion service. Its step is named `name`.
 *
 * @param configuration by the names of the transform's own schema, which the service tells; int64 as numbers
 * @param address `host:port` of the expansion service
 * @throws Error (when applied) that names an unknown transform or configuration field, or says what the service refused
 */
export function schemaTransform(
  name: string,
  urn: string,
  configuration: Readonly<Record<string, unknown>>,
  address: string,
): AsyncPTransform<Collections, Collections> {
  return withName(name, async (input: Collections) => {
    const schema = (await discoverConfigurations(address)).get(urn);
    if (!schema) throw new Error(`The expansion service at ${address} knows no schema transform ${urn}`);
    const payload = payloadOf(urn, schema, configuration);
    // A single output, too, is to be given by its name.
    const options = { inferPValueType: false };
    const external = rawExternalTransform<Collections, Collections>(PAYLOAD_URN, payload, address, options);
    return P(input).applyAsync(withName("External", external));
  });
}
