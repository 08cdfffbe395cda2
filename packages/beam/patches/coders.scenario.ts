import "../sdk";
import protobufjs = require("protobufjs");
import { Context, type Coder } from "apache-beam/coders/coders";
import { DoubleCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";

/** The bytes of values, one after the other. */
export function encode<T>(coder: Coder<T>, values: readonly T[]): Uint8Array {
  const writer = new protobufjs.Writer();
  for (const value of values) coder.encode(value, writer, Context.needsDelimiters);
  return writer.finish();
}

/** What a coder makes of values that it has encoded. */
export function roundTrip<T>(coder: Coder<T>, values: readonly T[]): T[] {
  const reader = new protobufjs.Reader(encode(coder, values));
  return values.map(() => coder.decode(reader, Context.needsDelimiters));
}

export const varInts: readonly number[] = [0, -1, 2 ** 31, -(2 ** 31) - 1, 1_700_000_000_123, Number.MAX_SAFE_INTEGER];
export const doubles: readonly number[] = [Number.NaN, Infinity, -Infinity, -0, 2 ** 60, -1e300];

export const scenarios = {
  varInts: async () => roundTrip(new VarIntCoder(), varInts),
  numbers: async () => doubles.map((value) => roundTrip(new GeneralObjectCoder<number>(), [value])[0]),
  numbersInArrays: async () => [...(roundTrip(new GeneralObjectCoder<number[]>(), [[2 ** 31]])[0] ?? [])],
  /** How long it takes to decode doubles from one message; ms. */
  manyDoubles: async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => i / 3);
    const start = performance.now();
    roundTrip(new DoubleCoder(), values);
    return performance.now() - start;
  },
};
