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

/** SipHash-2-4 with 128 bits, with whole 64-bit words: both halves of the hash, as hexadecimal bytes. */
function sipHashOfPaper(key: Buffer, message: Buffer): string {
  const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
  let [v0, v1, v2, v3] = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
  [v0, v1, v2, v3] = [v0 ^ k0, v1 ^ k1 ^ 0xeen, v2 ^ k0, v3 ^ k1];
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
  const halves = Buffer.alloc(16);
  v2 ^= 0xeen;
  for (let i = 0; i < 4; i++) round();
  halves.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0);
  v1 ^= 0xddn;
  for (let i = 0; i < 4; i++) round();
  halves.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8);
  return halves.toString("hex");
}

/** The bytes of a hash, in the order of the reference implementation. */
function hexOf(words: Uint32Array): string {
  const bytes = Buffer.alloc(16);
  words.forEach((word, i) => bytes.writeUInt32LE(word, 4 * i));
  return bytes.toString("hex");
}
function hashOf(key: string, bytes: Uint8Array): string {
  const words = new Uint32Array(4);
  new SipHash(key).hash(bytes, bytes.length, words);
  return hexOf(words);
}

describe("SipHash", () => {
  it("SipHash has the values of the reference implementation", () => {
    // https://github.com/veorq/SipHash/blob/master/vectors.h, 128 bits: the bytes 0, 1, 2, … with the key 0, 1, 2, … 15
    const vectors = [
      "a3817f04ba25a8e66df67214c7550293",
      "da87c1d86b99af44347659119b22fc45",
      "8177228da4a45dc7fca38bdef60affe4",
      "9c70b60c5267a94e5f33b6b02985ed51",
    ];
    vectors.forEach((expected, length) => {
      const message = Uint8Array.from({ length }, (_, i) => i);
      assert.equal(hashOf(KEY, message), expected, `${length} bytes`);
    });
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
        const words = new Uint32Array(4);
        hasher.hashText(text, words);
        assert.equal(hexOf(words), hashOf(KEY, Buffer.from(text)));
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
