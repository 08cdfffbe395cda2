import "@eventlogger/beam/sdk";
import {
  foldedState,
  jsonCoder,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import {
  addDay,
  decodeActiveDays,
  encodeActiveDays,
  mergeActiveDays,
  type ActiveDays,
} from "@eventlogger/events/users/activeDays";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import type { UserDays } from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Users in one record of a snapshot. */
const SNAPSHOT_CHUNK = 1000;

/** The users of one bucket. A user with one active day, as most have, is just that day: it takes a tenth of the memory. */
export type UserBucket = Map<string, number | ActiveDays>;

/** A change: days that were new, or a user's whole set (base64 of its encoded form). */
export type UserRecord = [userId: string, ...days: (number | string)[]][];

type States = { users: StateDeclaration<FoldedCell<UserBucket, UserRecord>> };

function setOf(known: number | ActiveDays | undefined): ActiveDays | undefined {
  return typeof known === "number" ? addDay(undefined, known)?.set : known;
}

/**
 * Adds days to the users of a bucket.
 * @returns what was new, and what it changed in the days' sums
 */
export function addUserDays(bucket: UserBucket, users: UserDays): { changed: UserRecord; deltas: DayDelta[] } {
  const changed: UserRecord = [];
  const deltas: DayDelta[] = [];
  for (const [userId, ...days] of users) {
    const added: number[] = [];
    for (const day of days) {
      const known = bucket.get(userId);
      if (known === day) continue;
      const change = addDay(setOf(known), day);
      if (!change) continue;
      bucket.set(userId, known === undefined ? day : change.set);
      deltas.push(...change.deltas);
      added.push(day);
    }
    if (added.length) changed.push([userId, ...added]);
  }
  return { changed, deltas: sumDeltas(deltas) };
}

function fold(bucket: UserBucket, record: UserRecord): void {
  for (const [userId, ...days] of record) {
    for (const day of days) {
      if (typeof day === "number") {
        addUserDays(bucket, [[userId, day]]);
        continue;
      }
      const set = decodeActiveDays(Buffer.from(day, "base64"));
      const known = setOf(bucket.get(userId));
      bucket.set(userId, known ? mergeActiveDays(known, set) : set);
    }
  }
}

function snapshot(bucket: UserBucket): UserRecord[] {
  const all = [...bucket].map(([userId, days]): UserRecord[number] => [
    userId,
    typeof days === "number" ? days : Buffer.from(encodeActiveDays(days)).toString("base64"),
  ]);
  const chunks: UserRecord[] = [];
  for (let i = 0; i < all.length; i += SNAPSHOT_CHUNK) chunks.push(all.slice(i, i + SNAPSHOT_CHUNK));
  return chunks;
}

/** Keeps the active days of each user and sends on what changes in the days' active and new users. */
export class UserLedger implements StatefulDoFn<string, DayDelta, States> {
  states(): States {
    return {
      users: foldedState<UserBucket, UserRecord>({
        coder: jsonCoder<UserRecord>(),
        create: () => new Map(),
        fold,
        snapshot,
        entries: (record) => record.length,
        size: (bucket) => bucket.size,
        entryWeight: 150,
      }),
    };
  }

  process(_key: string, value: string, { users }: CellsOf<States>): Iterable<DayDelta> {
    const { changed, deltas } = addUserDays(users.state, JSON.parse(value) as UserDays);
    if (changed.length) users.log(changed);
    return deltas;
  }
}

registerModule(module);
