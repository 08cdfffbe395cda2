/**
 * Patches the SDK's coders; they keep the encoding of the Beam model:
 * - `VarIntCoder` is int32: numbers beyond ±2^31 (epoch milliseconds, sums) are decoded to other numbers, without an error.
 *   The patched coder is int64 by the rule of int64.ts: a number where that is exact, otherwise a bigint.
 * - `DoubleCoder.decode` copies the rest of the message for each element.
 * - the number coder of `GeneralObjectCoder` encodes NaN, infinities and integers beyond 2^53 as integers.
 */
import type { Reader, Writer } from "protobufjs";
import { DoubleCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { checkInt64, readInt64 } from "./int64";

interface NumberCoder {
  intCoder: VarIntCoder;
  doubleCoder: DoubleCoder;
  encode(element: number, writer: Writer): void;
}

/** Patch `coders`. */
export function patchCoders(): void {
  VarIntCoder.prototype.encode = function (element: unknown, writer: Writer): void {
    const value = checkInt64(element);
    writer.int64(typeof value === "number" ? value : String(value));
  };
  VarIntCoder.prototype.decode = function (reader: Reader): number {
    return readInt64(reader) as number; // the SDK's type knows only numbers
  };
  DoubleCoder.prototype.decode = function (reader: Reader): number {
    const { buf, pos } = reader;
    reader.skip(8);
    return new DataView(buf.buffer, buf.byteOffset + pos, 8).getFloat64(0, false);
  };
  const byType = (new GeneralObjectCoder() as unknown as { codersByType: { number: NumberCoder } }).codersByType;
  const numberCoder = Object.getPrototypeOf(byType.number) as NumberCoder;
  numberCoder.encode = function (this: NumberCoder, element, writer) {
    if (Number.isSafeInteger(element) && !Object.is(element, -0)) {
      writer.string("i");
      this.intCoder.encode(element, writer);
    } else {
      writer.string("f");
      this.doubleCoder.encode(element, writer);
    }
  };
}
