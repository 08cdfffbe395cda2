import { localDates } from "./localDates";
import { addDays, countedDays, earliest, personsOf, type PersonEvent } from "./persons";

/** The last week after that of the cohort that is reported. */
const LAST_WEEK = 53;

/** The body of `GET /retention/`, without the definitions. */
export interface RetentionReport {
  readonly cohorts: readonly {
    /** YYYY-MM-DD; the Monday of the cohort. */
    readonly week: string;
    readonly size: number;
    /** Persons of the cohort who were active in its week and in each week after it, until the last one with any. */
    readonly retained: readonly number[];
  }[];
}

/** The Monday of the week of a date. @param date YYYY-MM-DD */
function mondayOf(date: string): string {
  const sunday = 0;
  const weekday = new Date(date).getUTCDay();
  return addDays(date, weekday === sunday ? -6 : 1 - weekday);
}

/**
 * The weekly retention straight from its definition, by looking at every person and week.
 * @param events all accepted events in any order and number
 */
export function bruteForceRetention(
  events: Iterable<PersonEvent>,
  { timeZone = "UTC", countBots = false }: { timeZone?: string | undefined; countBots?: boolean | undefined } = {},
): RetentionReport {
  const weeksOfPersons = personsOf([...events], localDates(timeZone)).map(
    (person) => new Set([...countedDays(person, countBots)].map(mondayOf)),
  );
  const cohorts = new Map<string, Set<string>[]>();
  for (const weeks of weeksOfPersons) {
    const first = earliest(weeks);
    if (first !== undefined) cohorts.set(first, [...(cohorts.get(first) ?? []), weeks]);
  }
  return {
    cohorts: [...cohorts.keys()].sort().map((week) => {
      const persons = cohorts.get(week) ?? [];
      const counts = Array.from(
        { length: LAST_WEEK + 1 },
        (_, n) => persons.filter((weeks) => weeks.has(addDays(week, 7 * n))).length,
      );
      while (counts.at(-1) === 0) counts.pop();
      return { week, size: persons.length, retained: counts };
    }),
  };
}
