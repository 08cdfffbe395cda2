/**
 * Ledger state is kept in buckets: one Beam key holds the state of many users or sessions. A bundle then costs one state
 * request for each bucket that it changes, not one for each user and session. The numbers of buckets are part of the
 * stored state: a job that goes on from a checkpoint must have the same.
 */

/** Buckets for all users. */
export const USER_BUCKETS = 1024;
/** Buckets for the sessions of one day. */
export const SESSION_BUCKETS_PER_DAY = 256;

/** FNV-1a over UTF-16 code units, with a final mix; 32 bits, unsigned. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

export function userBucket(userId: string): string {
  return `u${hashText(userId) % USER_BUCKETS}`;
}

export function sessionBucket(day: number, sessionId: string): string {
  return `${day}|${hashText(sessionId) % SESSION_BUCKETS_PER_DAY}`;
}

/** The day of a session bucket. */
export function dayOfSessionBucket(bucket: string): number {
  return Number(bucket.slice(0, bucket.indexOf("|")));
}
