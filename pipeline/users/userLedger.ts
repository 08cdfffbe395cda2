import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
  WeighedMap,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { decodeUserDays, userChangesCoder, type UserChange, type UserDays } from "./encoding";

/** Users in one record of a snapshot. */
const SNAPSHOT_CHUNK = 1000;

/** The users of one shard. A user with one active day, as most have, is just that day, which needs a tenth of the memory. */
export type UserShard = Map<string, number | ActiveDays>;
type WeighedShard = WeighedMap<number | ActiveDays>;

type States = { users: StateDeclaration<FoldedCell<WeighedShard, UserChange[]>> };

/** Bytes of the objects of a set of days, without its bitmap. */
const ACTIVE_DAYS_OVERHEAD = 248;

/** Bytes of a user's days in memory. */
function weightOf(days: number | ActiveDays): number {
  return typeof days === "number" ? 0 : ACTIVE_DAYS_OVERHEAD + days.bits.length;
}

function setOf(known: number | ActiveDays | undefined): ActiveDays | undefined {
  return typeof known === "number" ? addDay(undefined, known)?.set : known;
}

/**
 * Adds days to the users of a shard.
 * @returns the days that were new, and the change of the counts of days
 */
export function addUserDays(shard: UserShard, users: readonly UserDays[]): { changed: UserDays[]; deltas: DayDelta[] } {
  const changed: UserDays[] = [];
  const deltas: DayDelta[] = [];
  for (const { userId, days } of users) {
    const added: number[] = [];
    for (const day of days) {
      const known = shard.get(userId);
      if (known === day) continue;
      const change = addDay(setOf(known), day);
      if (!change) continue;
      shard.set(userId, known === undefined ? day : change.set);
      deltas.push(...change.deltas);
      added.push(day);
    }
    if (added.length) changed.push({ userId, days: added });
  }
  return { changed, deltas: sumDeltas(deltas) };
}

function fold(shard: UserShard, changes: readonly UserChange[]): void {
  for (const { userId, days } of changes) {
    for (const day of days) {
      if (typeof day === "number") {
        addUserDays(shard, [{ userId, days: [day] }]);
        continue;
      }
      const known = setOf(shard.get(userId));
      shard.set(userId, known ? mergeActiveDays(known, day) : day);
    }
  }
}

function snapshot(shard: UserShard): UserChange[][] {
  const all = [...shard].map(([userId, days]): UserChange => ({ userId, days: [days] }));
  const chunks: UserChange[][] = [];
  for (let i = 0; i < all.length; i += SNAPSHOT_CHUNK) chunks.push(all.slice(i, i + SNAPSHOT_CHUNK));
  return chunks;
}

/** Keeps the active days of each user and emits the changes of the days' active and new users. */
export class UserLedger implements StatefulDoFn<string, DayDelta, States> {
  states(): States {
    return {
      users: foldedState<WeighedShard, UserChange[]>({
        coder: userChangesCoder,
        create: () => new WeighedMap(weightOf),
        fold,
        snapshot,
        entries: (changes) => changes.length,
        size: (shard) => shard.size,
        weight: (shard) => shard.weight,
      }),
    };
  }

  process(_key: string, value: string, { users }: CellsOf<States>): Iterable<DayDelta> {
    const { changed, deltas } = addUserDays(users.state, decodeUserDays(value));
    if (changed.length) users.log(changed);
    return deltas;
  }
}

registerModule(module);
