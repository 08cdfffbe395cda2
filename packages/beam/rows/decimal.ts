import type { Reader, Writer } from "protobufjs";

const FORMAT = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
/** Java's scale is an int. */
const MAX_SCALE = 2 ** 31 - 1;

/** A decimal number: `unscaled · 10^-scale`. The scale is a part of the value: 1.0 has scale 1, 1.00 has scale 2. */
interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** @throws RangeError when the text is not a decimal number such as `-12.50` or `1E+3` */
function parseDecimal(text: unknown): Decimal {
  const [, sign, whole = "", fraction = "", exponent = "0"] = FORMAT.exec(String(text)) ?? [];
  const scale = fraction.length - Number(exponent);
  if (typeof text !== "string" || whole + fraction === "" || Math.abs(scale) > MAX_SCALE) {
    throw new RangeError(`not the text of a decimal number: ${JSON.stringify(text) ?? String(text)}`);
  }
  return { unscaled: BigInt(`${sign === "-" ? "-" : ""}0${whole}${fraction}`.replace(/^-0+(?=\d)/, "-")), scale };
}

function formatDecimal({ unscaled, scale }: Decimal): string {
  if (scale < 0) return `${unscaled}E+${-scale}`;
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return negative ? `-${text}` : text;
}

/** Big endian two's complement with as few bytes as possible, as Java's `BigInteger.toByteArray`. */
function toTwosComplement(value: bigint): Uint8Array {
  let bytes = 1;
  while (BigInt.asIntN(8 * bytes, value) !== value) bytes++;
  const hex = BigInt.asUintN(8 * bytes, value)
    .toString(16)
    .padStart(2 * bytes, "0");
  return Buffer.from(hex, "hex");
}

function fromTwosComplement(bytes: Uint8Array): bigint {
  if (bytes.length === 0) throw new RangeError("a decimal number without digits");
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** Writes the text of a decimal number as Java's `BigDecimalCoder` does: the scale as a varint, then the unscaled bytes. */
export function encodeDecimal(text: string, writer: Writer): void {
  const { unscaled, scale } = parseDecimal(text);
  // A negative scale in five bytes: Java's varints of ints have no more.
  writer.uint32(scale);
  writer.bytes(toTwosComplement(unscaled));
}

/** Reads the text of a decimal number, such as `-12.50`; with a negative scale, such as `5E+3`. */
export function decodeDecimal(reader: Reader): string {
  const scale = reader.int32();
  return formatDecimal({ scale, unscaled: fromTwosComplement(reader.bytes()) });
}
