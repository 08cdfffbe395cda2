import "@eventlogger/beam/sdk";
import type { Coder } from "apache-beam/coders/coders";
import { stringCoder } from "@eventlogger/beam";

/**
 * Thrown when a value between two steps or in stored state does not have the format that this version reads: it is damaged,
 * or another version wrote it. Run the version that wrote it, or start with empty state. The message does not contain the
 * value, which may be personal data.
 */
export class EncodingError extends Error {
  /** @param what the kind of value, @param format what was expected */
  constructor(what: string, format: string, value: string | Uint8Array) {
    const unit = typeof value === "string" ? "characters" : "bytes";
    super(`Cannot decode ${what} of ${value.length} ${unit}: expected ${format}`);
    this.name = "EncodingError";
  }
}

/** A coder for values that are encoded as text. Runners see the model's own string coder. */
export function textCoder<T>(encode: (value: T) => string, decode: (text: string) => T): Coder<T> {
  return {
    encode: (value, writer, context) => stringCoder.encode(encode(value), writer, context) as unknown,
    decode: (reader, context) => decode(stringCoder.decode(reader, context)),
    toProto: (pipeline) => stringCoder.toProto(pipeline),
  };
}

/** The value of a JSON text, or undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
