/**
 * 64-bit integers in JavaScript. One rule for every coder: a safe integer (beyond ±2^53 no number is one) is a number,
 * every other 64-bit integer is a bigint. Both are accepted when a value is encoded; nothing is ever rounded.
 */
import type { Reader } from "protobufjs";

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/**
 * Checks that a value is a 64-bit integer: a safe integer, or a bigint from -2^63 to 2^63 - 1.
 * @throws RangeError when it is not
 */
export function checkInt64(value: unknown): number | bigint {
  if (Number.isSafeInteger(value)) return value as number;
  if (typeof value === "bigint" && value >= MIN && value <= MAX) return value;
  const hint = Number.isInteger(value) ? "; integers beyond 2^53 must be a bigint" : "";
  throw new RangeError(`not a 64-bit integer: ${String(value)}${hint}`);
}

/** A 64-bit integer as a number where that is exact, otherwise as a bigint. */
export function narrowInt64(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Reads a varint of 64 bits. */
export function readInt64(reader: Reader): number | bigint {
  // A Long, because that package is installed.
  const value = reader.int64() as unknown as { toNumber(): number; toString(): string };
  const number = value.toNumber();
  return Number.isSafeInteger(number) ? number : BigInt(value.toString());
}
