import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import { decodeDays, userRecordCoder, type UserRecord } from "./encoding";

/** The days of one user. One active day, as most users have, is just that day, which needs a tenth of the memory. */
export interface User {
  days: number | ActiveDays | undefined;
}

type States = { days: StateDeclaration<FoldedCell<User, UserRecord>> };

/** Bytes of the object of a user, without its days. */
const USER_WEIGHT = 32;
/** Bytes of the objects of a set of days, without its bitmap. */
const SET_WEIGHT = 248;
/** Entries of the log for each change of a user. The log is replaced by a set of days after 64 / 2 changes. */
const ENTRIES_PER_CHANGE = 2;

function setOf(days: User["days"]): ActiveDays | undefined {
  return typeof days === "number" ? addDay(undefined, days)?.set : days;
}

/**
 * Adds a day to a user.
 * @returns the changes of the counts of days; undefined when the user has the day
 */
export function addUserDay(user: User, day: number): DayDelta[] | undefined {
  if (user.days === day) return undefined;
  const change = addDay(setOf(user.days), day);
  if (!change) return undefined;
  user.days = user.days === undefined ? day : change.set;
  return change.deltas;
}

function fold(user: User, record: UserRecord): void {
  if ("bits" in record) {
    const known = setOf(user.days);
    user.days = known ? mergeActiveDays(known, record) : record;
  } else {
    for (const day of record) addUserDay(user, day);
  }
}

/** Keeps the active days of each user and emits the changes of the days' active and new users. */
export class UserLedger implements StatefulDoFn<Uint8Array, DayDelta, States> {
  states(): States {
    return {
      days: foldedState<User, UserRecord>({
        coder: userRecordCoder,
        create: () => ({ days: undefined }),
        fold,
        snapshot: ({ days }) => (days === undefined ? [] : [typeof days === "number" ? [days] : days]),
        entries: () => ENTRIES_PER_CHANGE,
        size: () => 0,
        // Of a user who was counted on a day, workers leave out all further events of the day.
        isCached: false,
        weight: ({ days }) => USER_WEIGHT + (typeof days === "object" ? SET_WEIGHT + days.bits.length : 0),
      }),
    };
  }

  process(_key: string, value: Uint8Array, { days }: CellsOf<States>): DayDelta[] | void {
    let added: number[] | undefined;
    let deltas: DayDelta[] | undefined;
    for (const day of decodeDays(value)) {
      const change = addUserDay(days.state, day);
      if (!change) continue;
      (added ??= []).push(day);
      deltas = deltas ? [...deltas, ...change] : change;
    }
    if (added) days.log(added);
    return deltas;
  }
}

registerModule(module);
