import "../sdk";
import protobufjs from "protobufjs";
import { Context, type Coder } from "apache-beam/coders/coders";

/** Encodes values one after the other. */
export function encode<T>(coder: Coder<T>, values: readonly T[]): Uint8Array {
  const writer = new protobufjs.Writer();
  for (const value of values) coder.encode(value, writer, Context.needsDelimiters);
  return writer.finish();
}

/** Decodes one value. */
export function decode<T>(coder: Coder<T>, bytes: Uint8Array): T {
  return coder.decode(new protobufjs.Reader(bytes), Context.needsDelimiters);
}

/** Encodes values and decodes them again. */
export function roundTrip<T>(coder: Coder<T>, values: readonly T[]): T[] {
  const reader = new protobufjs.Reader(encode(coder, values));
  return values.map(() => coder.decode(reader, Context.needsDelimiters));
}
