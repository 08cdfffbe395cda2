/**
 * Whole numbers as bytes, as few as possible: seven bits of a number in each byte, the lowest first; the highest bit of a byte
 * is set when another one follows (LEB128, as in Protocol Buffers).
 */

/** The most bytes of a safe integer. */
const MAX_BYTES = 8;
const PAYLOAD = 0x7f;
const CONTINUES = 0x80;
const BASE = 0x80;

/** Writes whole numbers one after the other. */
export class VarintWriter {
  private buffer: Uint8Array;
  private length = 0;

  /** @param bytes expected length; more is possible */
  constructor(bytes = 16) {
    this.buffer = new Uint8Array(bytes);
  }

  /**
   * Appends a whole number that is not negative.
   * @throws RangeError when it is no safe integer, or negative
   */
  unsigned(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Not a whole number from 0 on: ${value}`);
    this.reserve(MAX_BYTES);
    let rest = value;
    while (rest >= BASE) {
      this.buffer[this.length++] = (rest % BASE) | CONTINUES;
      rest = Math.floor(rest / BASE);
    }
    this.buffer[this.length++] = rest;
    return this;
  }

  /**
   * Appends a whole number: 0, -1, 1, -2, … as 0, 1, 2, 3, …
   * @throws RangeError when its absolute value is above 2^52
   */
  signed(value: number): this {
    return this.unsigned(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Appends bytes as they are. */
  bytes(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** What was written. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.length === this.buffer.length ? this.buffer : this.buffer.slice(0, this.length);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = new Uint8Array(2 * this.buffer.length + bytes);
    larger.set(this.buffer);
    this.buffer = larger;
  }
}

/** Reads what a {@link VarintWriter} has written. */
export class VarintReader {
  private at = 0;

  constructor(private readonly source: Uint8Array) {}

  /** Whether all bytes were read. */
  get atEnd(): boolean {
    return this.at >= this.source.length;
  }

  /** The next number; undefined at the end, or when it is not a safe integer. */
  unsigned(): number | undefined {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < MAX_BYTES; i++) {
      const byte = this.source[this.at++];
      if (byte === undefined) return undefined;
      value += (byte & PAYLOAD) * factor;
      if (byte < CONTINUES) return Number.isSafeInteger(value) ? value : undefined;
      factor *= BASE;
    }
    return undefined;
  }

  /** The next number that `signed` has written; undefined as for {@link unsigned}. */
  signed(): number | undefined {
    const value = this.unsigned();
    if (value === undefined) return undefined;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A copy of the next bytes; undefined when fewer are left. */
  take(length: number): Uint8Array | undefined {
    if (this.at + length > this.source.length) return undefined;
    const bytes = new Uint8Array(this.source.subarray(this.at, this.at + length));
    this.at += length;
    return bytes;
  }

  /** A copy of the bytes that are left. */
  rest(): Uint8Array {
    const bytes = new Uint8Array(this.source.subarray(this.at));
    this.at = this.source.length;
    return bytes;
  }
}
