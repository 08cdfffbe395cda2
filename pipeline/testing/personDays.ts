import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import { addMarkedDay, noDays } from "@eventlogger/events/persons/personDays";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";

/** The days of a person, from a list. */
export function daysOf(list: readonly MarkedDay[]): PersonDays {
  const days = noDays();
  for (const day of list) addMarkedDay(days, day);
  return days;
}
