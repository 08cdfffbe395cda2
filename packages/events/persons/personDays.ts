import { addDay, hasDay, listDays, removeDay, subtractDays, unionDays } from "../users/activeDays";
import { dayOfMarked, isBotDay, markDay, type MarkedDay } from "./markedDay";
import type { PersonDays } from "./personDeltas";

/** No days. */
export function noDays(): PersonDays {
  return { human: undefined, bots: undefined };
}

export function hasMarkedDay(days: Readonly<PersonDays>, marked: MarkedDay): boolean {
  return hasDay(isBotDay(marked) ? days.bots : days.human, dayOfMarked(marked));
}

/** Adds a day to `days`. */
export function addMarkedDay(days: PersonDays, marked: MarkedDay): void {
  if (isBotDay(marked)) days.bots = addDay(days.bots, dayOfMarked(marked));
  else days.human = addDay(days.human, dayOfMarked(marked));
}

/** Removes a day from `days`. */
export function removeMarkedDay(days: PersonDays, marked: MarkedDay): void {
  if (isBotDay(marked)) days.bots = removeDay(days.bots, dayOfMarked(marked));
  else days.human = removeDay(days.human, dayOfMarked(marked));
}

/** Adds all days of `added` to `days`. */
export function addAllDays(days: PersonDays, added: Readonly<PersonDays>): void {
  days.human = unionDays(days.human, added.human);
  days.bots = unionDays(days.bots, added.bots);
}

/** The days of `a` that `b` lacks. */
export function subtractPersonDays(a: Readonly<PersonDays>, b: Readonly<PersonDays>): PersonDays {
  return { human: subtractDays(a.human, b.human), bots: subtractDays(a.bots, b.bots) };
}

/** All marked days, in no particular order. */
export function listMarkedDays({ human, bots }: Readonly<PersonDays>): MarkedDay[] {
  return [...listDays(human).map((day) => markDay(day, false)), ...listDays(bots).map((day) => markDay(day, true))];
}
