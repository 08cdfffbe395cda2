/**
 * FNV-1a over the UTF-16 code units of a text: 32 bits, unsigned. Fast, not for secrets. Its values are part of the ids of
 * generated traffic, so they never change.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The number of hexadecimal digits of a key of {@link SipHash}. */
export const SIPHASH_KEY_DIGITS = 32;

const COMPRESSION_ROUNDS = 2;
const FINALIZATION_ROUNDS = 4;

const UTF8 = new TextEncoder();

/** The four 32-bit words of a hash of 128 bits, the lowest first. */
export type Hash128 = Uint32Array;

/**
 * SipHash-2-4, a keyed hash (https://www.aumasson.jp/siphash/siphash.pdf), with 128 bits of output as in its reference
 * implementation (https://github.com/veorq/SipHash). Without the key nobody can choose texts with equal hashes. Its values are
 * part of stored state, so they never change.
 *
 * The 64-bit words of the algorithm are pairs of 32-bit halves here: `v0l` is the lower half of `v0`, `v0h` the upper one.
 */
export class SipHash {
  private readonly k0l: number;
  private readonly k0h: number;
  private readonly k1l: number;
  private readonly k1h: number;
  /** Reused: the UTF-8 bytes of a text. */
  private scratch = new Uint8Array(1024);

  /**
   * @param key 32 hexadecimal digits
   * @throws TypeError when it is not; the message does not contain the key
   */
  constructor(key: string) {
    if (!/^[0-9a-f]{32}$/i.test(key)) throw new TypeError("The key of SipHash must be 32 hexadecimal digits");
    const word = (byte: number): number => {
      const bytes = [3, 2, 1, 0].map((i) => key.slice(2 * (byte + i), 2 * (byte + i) + 2));
      return parseInt(bytes.join(""), 16) | 0;
    };
    this.k0l = word(0);
    this.k0h = word(4);
    this.k1l = word(8);
    this.k1h = word(12);
  }

  /**
   * The hash of a text's UTF-8 bytes.
   * @param into receives the hash
   */
  hashText(text: string, into: Hash128): void {
    // A UTF-16 code unit has at most three bytes in UTF-8.
    if (this.scratch.length < 3 * text.length) this.scratch = new Uint8Array(3 * text.length);
    const { scratch } = this;
    let length = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        length = UTF8.encodeInto(text, scratch).written;
        break;
      }
      scratch[i] = unit; // faster than the encoder, which is a call out of JavaScript
    }
    this.hash(scratch, length, into);
  }

  /**
   * The hash of bytes.
   * @param length only the first bytes
   * @param into receives the hash
   */
  hash(bytes: Uint8Array, length: number, into: Hash128): void {
    let v0l = this.k0l ^ 0x70736575;
    let v0h = this.k0h ^ 0x736f6d65;
    let v1l = this.k1l ^ 0x6e646f6d ^ 0xee;
    let v1h = this.k1h ^ 0x646f7261;
    let v2l = this.k0l ^ 0x6e657261;
    let v2h = this.k0h ^ 0x6c796765;
    let v3l = this.k1l ^ 0x79746573;
    let v3h = this.k1h ^ 0x74656462;
    let low: number;

    // The last word has the remaining bytes and the length. After it come the finalizations of both halves of the hash.
    const finalization = (length & ~7) + 8;
    for (let at = 0; at <= finalization + 8; at += 8) {
      let rounds = COMPRESSION_ROUNDS;
      let ml = 0;
      let mh = 0;
      if (at === finalization) {
        rounds = FINALIZATION_ROUNDS;
        v2l ^= 0xee;
      } else if (at > finalization) {
        rounds = FINALIZATION_ROUNDS;
        into[0] = v0l ^ v1l ^ v2l ^ v3l;
        into[1] = v0h ^ v1h ^ v2h ^ v3h;
        v1l ^= 0xdd;
      } else {
        ml = littleEndian(bytes, at, length);
        mh =
          at + 8 === finalization
            ? littleEndian(bytes, at + 4, length) | (length << 24)
            : littleEndian(bytes, at + 4, length);
      }
      v3l ^= ml;
      v3h ^= mh;
      for (; rounds > 0; rounds--) {
        low = (v0l + v1l) | 0; // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
        v0h = (v0h + v1h + carry(low, v0l)) | 0;
        v0l = low;
        low = (v1l << 13) | (v1h >>> 19);
        v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
        v1l = low ^ v0l;
        low = v0l;
        v0l = v0h;
        v0h = low;

        low = (v2l + v3l) | 0; // v2 += v3; v3 <<<= 16; v3 ^= v2
        v2h = (v2h + v3h + carry(low, v2l)) | 0;
        v2l = low;
        low = (v3l << 16) | (v3h >>> 16);
        v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
        v3l = low ^ v2l;

        low = (v0l + v3l) | 0; // v0 += v3; v3 <<<= 21; v3 ^= v0
        v0h = (v0h + v3h + carry(low, v0l)) | 0;
        v0l = low;
        low = (v3l << 21) | (v3h >>> 11);
        v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
        v3l = low ^ v0l;

        low = (v2l + v1l) | 0; // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
        v2h = (v2h + v1h + carry(low, v2l)) | 0;
        v2l = low;
        low = (v1l << 17) | (v1h >>> 15);
        v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
        v1l = low ^ v2l;
        low = v2l;
        v2l = v2h;
        v2h = low;
      }
      v0l ^= ml;
      v0h ^= mh;
    }
    into[2] = v0l ^ v1l ^ v2l ^ v3l;
    into[3] = v0h ^ v1h ^ v2h ^ v3h;
  }
}

/** 1 when the sum of two unsigned 32-bit numbers, of which `part` is one, has overflowed. */
function carry(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

/** Four bytes from an index on as a 32-bit number, the first byte lowest. Bytes from `end` on are 0. */
function littleEndian(bytes: Uint8Array, at: number, end: number): number {
  const byte = (index: number): number => (index < end ? (bytes[index] as number) : 0);
  return byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
}
