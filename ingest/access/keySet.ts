import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { MAX_KEY_LENGTH, type NamedKey } from "./keyFile";

/** Tells which keys are valid. */
export interface Keys {
  /** The name of a valid key; undefined when it is none. */
  nameOf(presented: string): string | undefined;
}

/** Of SHA-256. */
const DIGEST_BYTES = 32;

interface Entry {
  readonly name: string;
  readonly digest: Buffer;
}

/**
 * Keys, held and compared as salted digests. How long a comparison takes says nothing of the keys: whole digests are
 * compared in constant time, and the first bytes, by which they are found among many, are of a digest that nobody
 * outside this process can work out.
 */
export class KeySet implements Keys {
  private readonly salt = randomBytes(32).toString("base64");
  /** A new one for each key would cost more than the digest. */
  private readonly presented = Buffer.alloc(DIGEST_BYTES);
  private readonly byPrefix = new Map<number, readonly Entry[]>();

  constructor(keys: readonly NamedKey[]) {
    for (const { name, key } of keys) {
      const digest = this.digest(key, Buffer.alloc(DIGEST_BYTES));
      const prefix = digest.readUInt32LE(0);
      this.byPrefix.set(prefix, [...(this.byPrefix.get(prefix) ?? []), { name, digest }]);
    }
  }

  nameOf(presented: string): string | undefined {
    if (presented.length > MAX_KEY_LENGTH) return undefined;
    const digest = this.digest(presented, this.presented);
    const entries = this.byPrefix.get(digest.readUInt32LE(0));
    if (entries) for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) return entry.name;
    return undefined;
  }

  private digest(key: string, into: Buffer): Buffer {
    into.write(hash("sha256", this.salt + key, "binary"), "binary");
    return into;
  }
}
