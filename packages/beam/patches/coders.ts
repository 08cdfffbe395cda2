/**
 * Patches the SDK's coders; they keep the encoding of the Beam model:
 * - `VarIntCoder` is int32: numbers beyond ±2^31 (epoch milliseconds, sums) are decoded to other numbers, without an error.
 * - `DoubleCoder.decode` copies the rest of the message for each element.
 * - the number coder of `GeneralObjectCoder` encodes NaN, infinities and integers beyond 2^53 as integers.
 */
import type { Reader, Writer } from "protobufjs";
import { DoubleCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";

interface NumberCoder {
  intCoder: VarIntCoder;
  doubleCoder: DoubleCoder;
  encode(element: number, writer: Writer): void;
}

/** Patch `coders`. */
export function patchCoders(): void {
  VarIntCoder.prototype.encode = function (element: number, writer: Writer): void {
    const n = Number(element);
    if (!Number.isSafeInteger(n)) throw new RangeError(`VarIntCoder: not a safe integer: ${String(element)}`);
    writer.int64(n);
  };
  VarIntCoder.prototype.decode = function (reader: Reader): number {
    const value: unknown = reader.int64();
    return typeof value === "number" ? value : (value as { toNumber(): number }).toNumber();
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
