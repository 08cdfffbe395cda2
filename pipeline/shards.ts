/**
 * Keys of the ledgers' state. One Beam key holds a shard: the state of many users or sessions. So a bundle costs one state
 * request per shard that it changes, not one per user and session. The numbers of shards and the keys belong to the stored
 * state: a job that resumes from a checkpoint must have the same ones.
 */
import { fnv1a } from "@eventlogger/events/hash";

/** Shards of all users. */
export const USER_SHARDS = 1024;
/** Shards of the sessions of one day. */
export const SESSION_SHARDS_PER_DAY = 256;

/** Spreads ids that differ only at their end over all shards. */
function shardOf(id: string, shards: number): number {
  let hash = fnv1a(id);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) % shards;
}

/** The key of a user's shard: `u17`. */
export function userShard(userId: string): string {
  return `u${shardOf(userId, USER_SHARDS)}`;
}

/** The key of a session's shard, `19860|17`: epoch day and number. */
export function sessionShard(day: number, sessionId: string): string {
  return `${day}|${shardOf(sessionId, SESSION_SHARDS_PER_DAY)}`;
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
