/**
 * How Flink assigns keys to subtasks: the hash of a key gives its key group, and each subtask has a range of key groups.
 * Keyed state is restored by key group, so the number of groups is part of the state.
 */

/**
 * Number of key groups of every job: Flink's maximum parallelism. Fixed, so that a checkpoint can be restored with another
 * parallelism. It is Flink's default for small parallelisms, so that state of earlier releases has it, too.
 */
export const MAX_PARALLELISM = 128;

/** Java's hash code of a ByteBuffer with these bytes. */
function byteBufferHash(bytes: Uint8Array): number {
  let hash = 1;
  for (let i = bytes.length - 1; i >= 0; i--) hash = (Math.imul(31, hash) + (((bytes[i] as number) << 24) >> 24)) | 0;
  return hash;
}

const rotateLeft = (n: number, bits: number): number => (n << bits) | (n >>> (32 - bits));

/** `MathUtils.murmurHash` of Flink. */
function murmurHash(code: number): number {
  let n = Math.imul(code, 0xcc9e2d51);
  n = Math.imul(rotateLeft(n, 15), 0x1b873593);
  n = (Math.imul(rotateLeft(n, 13), 5) + 0xe6546b64) | 0;
  n ^= 4;
  n = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  n = Math.imul(n ^ (n >>> 13), 0xc2b2ae35);
  n ^= n >>> 16;
  return n >= 0 ? n : n === -0x80000000 ? 0 : -n;
}

/** The key group of a key as the Flink runner encodes it: the bytes of its coder, nested. */
export function keyGroupOf(encodedKey: Uint8Array): number {
  return murmurHash(byteBufferHash(encodedKey)) % MAX_PARALLELISM;
}

/** The subtask that has a key group, from 0. */
export function subtaskOf(keyGroup: number, parallelism: number): number {
  return Math.floor((keyGroup * parallelism) / MAX_PARALLELISM);
}

/** The coder of bytes, nested: the length as one byte, then the bytes. */
const encodeShortBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.of(bytes.length, ...bytes);

/**
 * Keys of bytes whose key groups are spread evenly, so that with any parallelism the numbers of keys of two subtasks differ by
 * at most one. The same keys for the same `count`.
 * @param count 1 to {@link MAX_PARALLELISM}
 */
export function evenlySpreadKeys(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const wanted = Math.floor(((i + 0.5) * MAX_PARALLELISM) / count);
    for (let n = 0; ; n++) {
      const key = Buffer.from(`${i}-${n}`);
      if (keyGroupOf(encodeShortBytes(key)) === wanted) return key;
    }
  });
}
