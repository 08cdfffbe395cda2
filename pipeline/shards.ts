/**
 * Keys of the ledgers' state: one for each user and each anonymous id, and one for each session id and day. So the cost of an event does not depend on
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
 * resume from the state of the release before. Format 1 had shards of many users and sessions, as JSON. Format 2 had no anonymous ids and
 * no bots.
 */
export const STATE_FORMAT = 3;

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

/** Number of bytes of a hash. */
export const HASH_BYTES = 16;

/** The text of a hash, from its bytes. */
export function textOfHash(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

/** The bytes of a hash, from its text. */
export function bytesOfHash(text: string): Uint8Array {
  return Buffer.from(text, "base64url");
}

/** The key of the user, or of the anonymous id, that was hashed last. Both have ledgers of their own. */
export function userKey(hash: IdHash): string {
  return hash.text;
}

/** Follows the day in keys of sessions of bots. Events of bots and of people never share a session. */
const BOT_MARK = "b";

/** Epoch day and class of a session, as the keys of sessions begin: `19860`, or `19860b` for one of a bot. */
export function sessionDayText(day: number, isBot: boolean): string {
  return isBot ? `${day}${BOT_MARK}` : String(day);
}

/** What {@link sessionDayText} has written; undefined for another text. */
export function readSessionDay(text: string): { readonly day: number; readonly isBot: boolean } | undefined {
  const isBot = text.endsWith(BOT_MARK);
  const digits = isBot ? text.slice(0, -1) : text;
  return /^-?\d+$/.test(digits) ? { day: Number(digits), isBot } : undefined;
}

/** The key of the session whose id was hashed last: epoch day, class and hash, such as `19860|oFvcTF4Ae1PW1pnuz8r_bQ`. */
export function sessionKey(day: number, isBot: boolean, hash: IdHash): string {
  return `${sessionDayText(day, isBot)}|${hash.text}`;
}

/**
 * The epoch day in the key of a session, and whether the session is one of a bot.
 * @throws Error when the text is not such a key
 */
export function dayOfSessionKey(key: string): { readonly day: number; readonly isBot: boolean } {
  const found = readSessionDay(key.slice(0, Math.max(key.indexOf("|"), 0)));
  if (!found) throw new Error(`"${key}" is not the key of a session, such as "19860|…"`);
  return found;
}
