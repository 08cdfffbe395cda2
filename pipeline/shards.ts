/**
 * Keys of the ledgers' state: one for each user, and one for each session id and day. So the cost of an event does not depend on
 * the number of users and sessions. The runner shards the state by these keys.
 *
 * A key has a hash of 128 bits in place of the id, which may be long. Two ids with one hash would be counted as one: with a billion
 * ids, the probability of any such pair is 2^-69 (n^2 / 2^129). The hash and its secret belong to the stored state: a job that
 * resumes from a checkpoint must have the same ones.
 */
import { randomBytes } from "node:crypto";
import { SipHash, SIPHASH_KEY_DIGITS, type Hash128 } from "@eventlogger/events/hash";

/**
 * Number of the format of the state: its keys, its encodings, and what belongs together in it. It increases when a job cannot
 * resume from the state of the release before. Format 1 had shards of many users and sessions, as JSON.
 */
export const STATE_FORMAT = 2;

/** A new secret for {@link IdHash}: 128 random bits, as 32 hexadecimal digits. */
export function newShardHashSecret(): string {
  return randomBytes(SIPHASH_KEY_DIGITS / 2).toString("hex");
}

/** For a pipeline that is only described, never run. */
const NO_SECRET = "0".repeat(SIPHASH_KEY_DIGITS);

/**
 * The hash of ids in keys. With a secret, a client can choose neither ids with one hash nor ids whose keys belong to one part of
 * the state, which would become slow.
 */
export class IdHash {
  /** The hash of the last id. */
  readonly words: Hash128 = new Uint32Array(4);
  private readonly bytes = Buffer.from(this.words.buffer);
  private readonly sipHash: SipHash;

  /**
   * @param secret 32 hexadecimal digits. Undefined for a pipeline that is never run
   * @throws TypeError when the secret has another form; the message does not contain it
   */
  constructor(secret: string | undefined) {
    this.sipHash = new SipHash(secret ?? NO_SECRET);
  }

  /** Hashes an id: {@link words} and {@link text} are its hash until the next call. */
  update(id: string): void {
    this.sipHash.hashText(id, this.words);
  }

  /** The hash as text: 22 characters of base64url. */
  get text(): string {
    return this.bytes.toString("base64url");
  }
}

/** The key of the user whose id was hashed last. */
export function userKey(hash: IdHash): string {
  return hash.text;
}

/** The key of the session whose id was hashed last: epoch day and hash, such as `19860|oFvcTF4Ae1PW1pnuz8r_bQ`. */
export function sessionKey(day: number, hash: IdHash): string {
  return `${day}|${hash.text}`;
}

/**
 * The epoch day in the key of a session.
 * @throws Error when the text is not such a key
 */
export function dayOfSessionKey(key: string): number {
  const separator = key.indexOf("|");
  const day = Number(key.slice(0, Math.max(separator, 0)) || NaN);
  if (!Number.isSafeInteger(day)) throw new Error(`"${key}" is not the key of a session, such as "19860|…"`);
  return day;
}
