import type { PersonChange, PersonDays, PersonDeltas } from "@eventlogger/events/persons/personDeltas";
import type { DaySet } from "@eventlogger/events/users/activeDays";

/** Bytes of the objects of a set of several days, without its bitmap. */
const SET_WEIGHT = 248;

const weightOfSet = (set: DaySet): number => (typeof set === "object" ? SET_WEIGHT + set.bits.length : 0);

/** Bytes of the days of a person in memory, besides the object that holds them. */
export function weightOfDays({ human, bots }: Readonly<PersonDays>): number {
  return weightOfSet(human) + weightOfSet(bots);
}

/** The deltas of a change, as an output of a ledger; undefined without any. */
export function deltasOf(change: PersonChange): PersonDeltas[] | undefined {
  return change.isEmpty ? undefined : [{ days: change.days, weeks: change.weeks }];
}
