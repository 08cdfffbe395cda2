import "./sdk";
import type { PCollection } from "apache-beam";
import type { Coder } from "apache-beam/coders/coders";
import { KVCoder } from "apache-beam/coders/required_coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import { withCoderInternal } from "apache-beam/transforms/internal";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";

/** UTF-8 strings. */
export const stringCoder: Coder<string> = new StrUtf8Coder();

/** Pairs of strings; every runner knows this coder. The pipeline encodes its values as strings itself, for example as JSON. */
export const textKvCoder: KVCoder<string, string> = new KVCoder(new StrUtf8Coder(), new StrUtf8Coder());

/** Sets the coder of a keyed collection, so that the runner can group by its keys. */
export function withKvCoder<K, V>(
  name: string,
  coder: KVCoder<K, V>,
): PTransform<PCollection<KV<K, V>>, PCollection<KV<K, V>>> {
  return withName(name, withCoderInternal<KV<K, V>>(coder));
}

/** Parses JSON. The error does not quote the text, because errors are logged, and the text may be personal data. */
function parseJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new SyntaxError(`jsonCoder: a text of ${text.length} characters is not valid JSON`);
  }
}

/** Values as JSON. To the runner it is the string coder of the Beam model, so the runner can decode the JSON text. */
export function jsonCoder<T>(): Coder<T> {
  return {
    encode: (value, writer, context) => stringCoder.encode(JSON.stringify(value), writer, context) as unknown,
    decode: (reader, context) => parseJson<T>(stringCoder.decode(reader, context)),
    toProto: (pipeline) => stringCoder.toProto(pipeline),
  };
}
