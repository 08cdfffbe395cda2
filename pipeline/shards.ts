/**
 * Keys of the ledgers' state. One Beam key holds a shard: the state of many users or sessions. So a bundle costs one state
 * request per shard that it changes, not one per user and session. The numbers of shards and the hash belong to the stored
 * state: a job that resumes from a checkpoint must have the same ones.
 */
import { randomBytes } from "node:crypto";
import { fnv1a, SipHash, SIPHASH_KEY_DIGITS } from "@eventlogger/events/hash";

/** Shards of all users. */
export const USER_SHARDS = 1024;
/** Shards of the sessions of one day. */
export const SESSION_SHARDS_PER_DAY = 256;

/** A hash of an id: 32 bits, unsigned. */
export type ShardHash = (id: string) => number;

/** A new secret for {@link shardHash}: 128 random bits, as 32 hexadecimal digits. */
export function newShardHashSecret(): string {
  return randomBytes(SIPHASH_KEY_DIGITS / 2).toString("hex");
}

/**
 * The hash that assigns ids to shards. With a secret, a client cannot choose ids that are all in one shard, which would make
 * that shard large and slow.
 * @param secret 32 hexadecimal digits. Undefined for state of releases without a secret
 * @throws TypeError when the secret has another form; the message does not contain it
 */
export function shardHash(secret: string | undefined): ShardHash {
  if (secret === undefined) return unkeyedHash;
  const sipHash = new SipHash(secret);
  return (id) => sipHash.hash32(id);
}

/** The hash of releases without a secret. It spreads ids that differ only at their end over all shards. */
function unkeyedHash(id: string): number {
  let hash = fnv1a(id);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

/** The key of a user's shard: `u17`. */
export function userShard(hash: ShardHash, userId: string): string {
  return `u${hash(userId) % USER_SHARDS}`;
}

/** The key of a session's shard, `19860|17`: epoch day and number. */
export function sessionShard(hash: ShardHash, day: number, sessionId: string): string {
  return `${day}|${hash(sessionId) % SESSION_SHARDS_PER_DAY}`;
}

/**
 * The epoch day in the key of a session shard.
 * @throws Error when the text is not such a key
 */
export function dayOfSessionShard(key: string): number {
  const day = /^(-?\d+)\|\d+$/.exec(key)?.[1];
  if (day === undefined) throw new Error(`"${key}" is not the key of a session shard, such as "19860|17"`);
  return Number(day);
}
