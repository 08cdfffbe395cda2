import "../sdk";
import * as grpc from "@grpc/grpc-js";
import protobufjs from "protobufjs";
import { Schema } from "apache-beam/proto/schema";

/** From Beam's beam_expansion_api.proto; the protos of the SDK are older. The schema stays bytes and is decoded by the SDK's type. */
const { root } = protobufjs.parse(`
  syntax = "proto3";
  message DiscoverSchemaTransformResponse {
    map<string, SchemaTransformConfig> schema_transform_configs = 1;
    string error = 2;
  }
  message SchemaTransformConfig {
    bytes config_schema = 1;
  }
`);
const Response = root.lookupType("DiscoverSchemaTransformResponse");
const METHOD = "/org.apache.beam.model.expansion.v1.ExpansionService/DiscoverSchemaTransform";
const TIMEOUT_MS = 30_000;

interface DiscoverResponse {
  readonly schemaTransformConfigs: Readonly<Record<string, { readonly configSchema: Uint8Array }>>;
  readonly error: string;
}

/**
 * The configuration schemas of all schema transforms of an expansion service, by URN.
 * @param address `host:port`
 * @throws Error with the address and the error of gRPC or of the service
 */
export async function discoverConfigurations(address: string): Promise<ReadonlyMap<string, Schema>> {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  try {
    const bytes = await new Promise<Buffer>((resolve, reject) =>
      client.makeUnaryRequest(
        METHOD,
        (request: Buffer) => request,
        (response) => response,
        Buffer.alloc(0),
        { deadline: Date.now() + TIMEOUT_MS },
        (error, response) => (error ? reject(error) : resolve(response as Buffer)),
      ),
    );
    const response = Response.decode(bytes) as unknown as DiscoverResponse;
    if (response.error) throw new Error(response.error);
    return new Map(
      Object.entries(response.schemaTransformConfigs).map(([urn, { configSchema }]) => [
        urn,
        Schema.fromBinary(configSchema),
      ]),
    );
  } catch (cause) {
    throw new Error(`Cannot discover the schema transforms of ${address}: ${(cause as Error).message}`, { cause });
  } finally {
    client.close();
  }
}
