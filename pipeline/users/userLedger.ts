import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import { addMarkedDay, listMarkedDays, noDays } from "@eventlogger/events/persons/personDays";
import {
  PersonChange,
  type CountRules,
  type PersonDays,
  type PersonDeltas,
} from "@eventlogger/events/persons/personDeltas";
import {
  addUserDay,
  contributeToUser,
  mergeContribution,
  mergeDirectDays,
  newUser,
  type ContributionCount,
  type User,
} from "@eventlogger/events/persons/user";
import { deltasOf, weightOfDays } from "../persons/personStates";
import { decodeUserUpdate, userRecordCoder, type UserContribution, type UserRecord } from "./encoding";

type States = { user: StateDeclaration<FoldedCell<User, UserRecord>> };

/** Bytes of the objects of a user, without its days. */
const USER_WEIGHT = 100;
/** Bytes of the map of contributed days, and of each entry. */
const CONTRIBUTED_WEIGHT = 110;
const CONTRIBUTION_WEIGHT = 68;
/** Entries of the log for each change of a user. The log is replaced by a snapshot after 64 / 2 changes. */
const ENTRIES_PER_CHANGE = 2;

function fold(user: User, record: UserRecord): void {
  if (record.kind === "days") mergeDirectDays(user, record.days);
  else for (const [day, count] of record.counts) mergeContribution(user, day, count);
}

function snapshot({ direct, contributed }: User): UserRecord[] {
  const records: UserRecord[] = [];
  if (direct.human !== undefined || direct.bots !== undefined) records.push({ kind: "days", days: direct });
  if (contributed) records.push({ kind: "counts", counts: [...contributed] });
  return records;
}

function weight({ direct, contributed, days }: User): number {
  const ofDirect = USER_WEIGHT + weightOfDays(direct);
  if (!contributed) return ofDirect;
  return ofDirect + weightOfDays(days) + CONTRIBUTED_WEIGHT + CONTRIBUTION_WEIGHT * contributed.size;
}

/** @returns the days that were new; undefined without any */
export function addUserDays(user: User, days: Readonly<PersonDays>, change: PersonChange): UserRecord | undefined {
  let added: PersonDays | undefined;
  for (const day of listMarkedDays(days)) {
    if (addUserDay(user, day, change)) addMarkedDay((added ??= noDays()), day);
  }
  return added && { kind: "days", days: added };
}

function addContributions(user: User, contributions: readonly UserContribution[], person: PersonChange): UserRecord {
  const counts = new Map<MarkedDay, ContributionCount>();
  for (const { day, change } of contributions) counts.set(day, contributeToUser(user, day, change, person));
  return { kind: "counts", counts: [...counts] };
}

/**
 * Keeps the days of each user, by the user's own events and by those of linked anonymous ids, and emits the changes of the counts of
 * persons.
 */
export class UserLedger implements StatefulDoFn<Uint8Array, PersonDeltas, States> {
  constructor(private readonly rules: CountRules) {}

  states(): States {
    return {
      user: foldedState<User, UserRecord>({
        coder: userRecordCoder,
        create: newUser,
        fold,
        snapshot,
        entries: () => ENTRIES_PER_CHANGE,
        size: ({ contributed }) => contributed?.size ?? 0,
        // Of a user who was counted on a day, workers leave out all further events of the day.
        isCached: false,
        weight,
      }),
    };
  }

  process(_key: string, value: Uint8Array, { user: cell }: CellsOf<States>): PersonDeltas[] | void {
    const update = decodeUserUpdate(value);
    const change = new PersonChange(this.rules);
    const record =
      update.kind === "days"
        ? addUserDays(cell.state, update.days, change)
        : addContributions(cell.state, update.contributions, change);
    if (record) cell.log(record);
    return deltasOf(change);
  }
}

registerModule(module);
