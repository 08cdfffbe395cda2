import "../sdk";
import assert from "node:assert/strict";
import { Context, globalRegistry, type Coder } from "apache-beam/coders/coders";
import { Reader, Writer } from "protobufjs";
import { coderCapabilities } from "../capabilities";
import { decodeIterables, LargeIterable, type Page } from "./stateBackedIterable";
import { standardCoders, toBytes, type CoderSpec, type StandardCoder } from "./testing/standardCoders";

/** Every example, in every context, encoded and decoded. */
const CHECKS = 454;

function coderOf({ urn, payload, components = [] }: CoderSpec): Coder<unknown> {
  return globalRegistry().getCoder(
    urn,
    payload === undefined ? undefined : toBytes(payload),
    ...components.map(coderOf),
  );
}

function encode(coder: Coder<unknown>, value: unknown, context: Context): Uint8Array {
  const writer = new Writer();
  coder.encode(value, writer, context);
  return Uint8Array.from(writer.finish());
}

/** Decodes a whole value; the rests of iterables come in pages of one byte. */
function decode(coder: Coder<unknown>, encoded: Uint8Array, context: Context, { state }: StandardCoder): unknown {
  const readPage = (token: Uint8Array, continuation: Uint8Array): Promise<Page> => {
    const rest = state.get(Buffer.from(token).toString()) ?? assert.fail("an unknown token");
    const at = continuation[0] ?? 0;
    const continuationToken = at + 1 < rest.length ? Uint8Array.of(at + 1) : new Uint8Array();
    return Promise.resolve({ data: rest.subarray(at, at + 1), continuationToken });
  };
  const reader = new Reader(encoded);
  const value = decodeIterables({ readPage }, () => coder.decode(reader, context));
  if (context === Context.needsDelimiters) assert.equal(reader.pos, encoded.length, "not all bytes are read");
  return value;
}

async function inMemory(value: unknown): Promise<unknown> {
  if (!(value instanceof LargeIterable)) return value;
  const elements: unknown[] = [];
  for await (const element of value) elements.push(element);
  return elements;
}

describe("Standard coders of the Beam model", () => {
  let checks = 0;

  for (const [i, standard] of standardCoders().entries()) {
    const { coder: spec, contexts, isDeterministic, examples } = standard;
    const parts = (spec.components ?? []).map(({ urn }) => urn.split(":")[2]).join(", ");
    for (const name of contexts) {
      it(`the coder ${spec.urn} of [${parts}] agrees with section ${i + 1} of standard_coders.yaml, ${name}`, async () => {
        const coder = coderOf(spec);
        const context = Context[name];
        for (const { encoded, value } of examples) {
          const decoded = decode(coder, encoded, context, standard);
          assert.deepEqual(await inMemory(decoded), value);
          checks++;
          const again = encode(coder, decoded instanceof LargeIterable ? decoded : value, context);
          if (isDeterministic) assert.deepEqual(again, encoded);
          else assert.deepEqual(await inMemory(decode(coder, again, context, standard)), value);
          checks++;
        }
      });
    }
  }

  it("workers declare every coder of standard_coders.yaml as a capability", () => {
    const standard = new Set(standardCoders().map(({ coder }) => coder.urn));
    // The model has no example of it: what it contains is not encoded on its own.
    standard.add("beam:coder:length_prefix:v1");
    assert.deepEqual(coderCapabilities().sort(), [...standard].sort());
  });

  it("no example of standard_coders.yaml is left out", () => assert.equal(checks, CHECKS));
});
