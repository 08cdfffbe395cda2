import assert from "node:assert/strict";
import fc from "fast-check";
import { fnv1a, SipHash } from "./hash";

describe("fnv1a", () => {
  it("fnv1a has the published values for ASCII texts", () => {
    // http://www.isthe.com/chongo/src/fnv/test_fnv.c
    assert.equal(fnv1a(""), 0x811c9dc5);
    assert.equal(fnv1a("a"), 0xe40c292c);
    assert.equal(fnv1a("foobar"), 0xbf9cf968);
  });
});

const KEY = "000102030405060708090a0b0c0d0e0f";
const MASK = (1n << 64n) - 1n;

/** SipHash-2-4 as its paper defines it, with whole 64-bit words. */
function sipHashOfPaper(key: Buffer, message: Buffer): bigint {
  const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
  let [v0, v1, v2, v3] = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
  [v0, v1, v2, v3] = [v0 ^ k0, v1 ^ k1, v2 ^ k0, v3 ^ k1];
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v2 = (v2 + v3) & MASK;
    v1 = rotate(v1, 13n) ^ v0;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v1) & MASK;
    v0 = (v0 + v3) & MASK;
    v1 = rotate(v1, 17n) ^ v2;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = rotate(v2, 32n);
  };
  const padded = Buffer.concat([message, Buffer.alloc(8 - (message.length % 8))]);
  padded[padded.length - 1] = message.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

const hashOf = (key: string, bytes: Uint8Array): bigint => {
  const [low, high] = new SipHash(key).hash(bytes);
  return (BigInt(high) << 32n) | BigInt(low);
};

describe("SipHash", () => {
  it("SipHash has the values of the reference implementation", () => {
    // https://github.com/veorq/SipHash/blob/master/vectors.h: the bytes 0, 1, 2, … with the key 0, 1, 2, … 15
    const vectors: [length: number, bytes: string][] = [
      [0, "310e0edd47db6f72"],
      [1, "fd67dc93c539f874"],
      [3, "2d7efbd796666785"],
      [4, "b7877127e09427cf"],
      [7, "37d1018bf50002ab"],
      [8, "6224939a79f5f593"],
      [9, "b0e4a90bdf82009e"],
      [15, "e545be4961ca29a1"],
      [16, "db9bc2577fcc2a3f"],
      [63, "724506eb4c328a95"],
    ];
    for (const [length, expected] of vectors) {
      const message = Uint8Array.from({ length }, (_, i) => i);
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(hashOf(KEY, message));
      assert.equal(bytes.toString("hex"), expected, `${length} bytes`);
    }
  });

  it("SipHash equals the algorithm of its paper for any key and message", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.uint8Array({ maxLength: 300 }),
        (key, message) => {
          const expected = sipHashOfPaper(Buffer.from(key), Buffer.from(message));
          assert.equal(hashOf(Buffer.from(key).toString("hex"), message), expected);
        },
      ),
    );
  });

  it("SipHash of a text is the hash of its UTF-8 bytes, also when a longer text was hashed before", () => {
    const hasher = new SipHash(KEY);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 1000 }), (text) => {
        assert.equal(hasher.hash32(text), new SipHash(KEY).hash(Buffer.from(text))[0]);
      }),
    );
  });

  it("a key that is not 32 hexadecimal digits is an error that does not contain it", () => {
    for (const key of ["", "secret", KEY + "0", KEY.replace("f", "g")]) {
      assert.throws(
        () => new SipHash(key),
        (error: Error) => error instanceof TypeError && (key === "" || !error.message.includes(key)),
      );
    }
  });
});
