import "../sdk";
import { DoubleCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { roundTrip } from "../testing/codec";

export const varInts: readonly number[] = [0, -1, 2 ** 31, -(2 ** 31) - 1, 1_700_000_000_123, Number.MAX_SAFE_INTEGER];
export const doubles: readonly number[] = [Number.NaN, Infinity, -Infinity, -0, 2 ** 60, -1e300];

export const scenarios = {
  varInts: async () => roundTrip(new VarIntCoder(), varInts),
  numbers: async () => doubles.map((value) => roundTrip(new GeneralObjectCoder<number>(), [value])[0]),
  numbersInArrays: async () => [...(roundTrip(new GeneralObjectCoder<number[]>(), [[2 ** 31]])[0] ?? [])],
  /** The time to encode 20,000 doubles into one message and to decode them, ms. */
  manyDoubles: async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => i / 3);
    const start = performance.now();
    roundTrip(new DoubleCoder(), values);
    return performance.now() - start;
  },
};
