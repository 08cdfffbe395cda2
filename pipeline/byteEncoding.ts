import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import { BytesCoder, KVCoder } from "apache-beam/coders/required_coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";

const bytesCoder = new BytesCoder();

/** Pairs of a text and bytes; every runner knows this coder. The pipeline encodes its values as bytes itself. */
export const bytesKvCoder: KVCoder<string, Uint8Array> = new KVCoder<string, Uint8Array>(
  new StrUtf8Coder(),
  bytesCoder,
);

/** A coder for values that are encoded as bytes. Runners see the model's own coder of bytes. */
export function byteCoder<T>(encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): Coder<T> {
  return {
    encode: (value, writer, context) => bytesCoder.encode(encode(value), writer, context),
    decode: (reader, context) => decode(bytesCoder.decode(reader, context)),
    toProto: (pipeline) => bytesCoder.toProto(pipeline),
  };
}
