/**
 * Patches the SDK's coders; they keep the encoding of the Beam model:
 * - `VarIntCoder` is int32: numbers beyond ±2^31 (epoch milliseconds, sums) are decoded to other numbers, without an error.
 *   The patched coder is int64 by the rule of int64.ts: a number where that is exact, otherwise a bigint.
 * - `DoubleCoder.decode` copies the rest of the message for each element.
 * - `InstantCoder`, `StrUtf8Coder` and the coder of windowed values create five arrays and objects for each element, which cost more than
 *   what most steps do. The patched ones read and write the usual elements directly: short ASCII texts, and elements of the
 *   global window that no trigger has fired.
 * - the number coder of `GeneralObjectCoder` encodes NaN, infinities and integers beyond 2^53 as integers.
 */
import Long from "long";
import { Reader, type Writer } from "protobufjs";
import { Context } from "apache-beam/coders/coders";
import { FullWindowedValueCoder, GlobalWindowCoder, InstantCoder } from "apache-beam/coders/required_coders";
import { DoubleCoder, PaneInfoCoder, StrUtf8Coder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { GlobalWindow, type Instant } from "apache-beam/values";
import { checkInt64, readInt64 } from "./int64";

interface NumberCoder {
  intCoder: VarIntCoder;
  doubleCoder: DoubleCoder;
  encode(element: number, writer: Writer): void;
}

const MAX_SHORT_TEXT = 64;

function isShortAscii(text: string): boolean {
  if (text.length > MAX_SHORT_TEXT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Reads a text with a length before it; undefined, without reading, when it is not short and ASCII. */
function readShortAscii(reader: Reader): string | undefined {
  const { buf, pos } = reader;
  const length = buf[pos] ?? 0;
  const end = pos + 1 + length;
  if (length > MAX_SHORT_TEXT || end > reader.len) return undefined;
  for (let i = pos + 1; i < end; i++) if ((buf[i] as number) > 0x7f) return undefined;
  reader.pos = end;
  return String.fromCharCode.apply(undefined, buf.subarray(pos + 1, end) as unknown as number[]);
}

function patchTexts(): void {
  const { encode, decode } = StrUtf8Coder.prototype;
  StrUtf8Coder.prototype.encode = function (text, writer, context) {
    if (context === Context.needsDelimiters && isShortAscii(text)) writer.string(text);
    else encode.call(this, text, writer, context);
  };
  StrUtf8Coder.prototype.decode = function (reader, context) {
    const text = context === Context.needsDelimiters ? readShortAscii(reader) : undefined;
    return text ?? decode.call(this, reader, context);
  };
}

const INSTANT_BYTES = 8;
const SIGN = 0x80000000;

const swapBytes = (n: number): number => ((n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;

function bigEndian32({ buf }: Reader, at: number): number {
  return (
    ((buf[at] as number) << 24) |
    ((buf[at + 1] as number) << 16) |
    ((buf[at + 2] as number) << 8) |
    (buf[at + 3] as number)
  );
}

/** Milliseconds as 64 bits, the highest byte first, with the sign inverted: so the order of the bytes is that of the times. */
function patchInstants(): void {
  InstantCoder.prototype.encode = function (element: Instant, writer: Writer) {
    // The writer knows only the other order of bytes.
    writer.fixed32(swapBytes((element.high ^ SIGN) >>> 0)).fixed32(swapBytes(element.low >>> 0));
  };
  InstantCoder.prototype.decode = function (reader: Reader): Instant {
    const { pos } = reader;
    reader.skip(INSTANT_BYTES);
    return new Long(bigEndian32(reader, pos + 4), bigEndian32(reader, pos) ^ SIGN);
  };
}

/** What follows the time of an element: one window, which has no bytes, and the pane of an element that no trigger has fired. */
const GLOBAL_WINDOW_HEADER = [0, 0, 0, 1, 0x0f] as const;
const GLOBAL_WINDOW = new GlobalWindow();

function patchWindowedValues(): void {
  const { decode } = FullWindowedValueCoder.prototype;
  const pane = PaneInfoCoder.INSTANCE.decode(new Reader(Uint8Array.of(0x0f)), Context.needsDelimiters);
  FullWindowedValueCoder.prototype.decode = function (this: FullWindowedValueCoder<unknown, never>, reader, context) {
    const at = reader.pos + INSTANT_BYTES;
    const isUsual =
      this.windowCoder instanceof GlobalWindowCoder &&
      at + GLOBAL_WINDOW_HEADER.length <= reader.len &&
      GLOBAL_WINDOW_HEADER.every((byte, i) => reader.buf[at + i] === byte);
    if (!isUsual) return decode.call(this, reader, context);
    const timestamp = InstantCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    reader.skip(GLOBAL_WINDOW_HEADER.length);
    const value = this.elementCoder.decode(reader, context);
    return { value, windows: [GLOBAL_WINDOW], pane, timestamp } as never;
  };
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
  patchTexts();
  patchInstants();
  patchWindowedValues();
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
