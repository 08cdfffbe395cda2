import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { MAX_KEY_LENGTH, type NamedKey } from "./keyFile";

/** The valid keys. */
export interface Keys {
  /** The name of a key; undefined when the key is not valid. */
  nameOf(presented: string): string | undefined;
}

/** Length of a SHA-256 digest. */
const DIGEST_BYTES = 32;

interface Entry {
  readonly name: string;
  readonly digest: Buffer;
}

/**
 * Keys, stored and compared as salted digests. Timing reveals nothing about the keys: digests are compared in constant
 * time, and the prefix that finds candidates belongs to a digest that only this process can compute.
 */
export class KeySet implements Keys {
  private readonly salt = randomBytes(32).toString("base64");
  /** Reused: allocating a buffer for each key would cost more than the digest. */
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
