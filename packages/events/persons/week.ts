/** ISO weeks, which begin on Monday, as integers: the number of weeks since the one with 1970-01-01, a Thursday. */

const DAYS_IN_WEEK = 7;
/** Days from the Monday of week 0 to 1970-01-01. */
const FIRST_DAY_OFFSET = 3;

/** The week of an epoch day. */
export function weekOf(day: number): number {
  return Math.floor((day + FIRST_DAY_OFFSET) / DAYS_IN_WEEK);
}

/** The epoch day of the Monday of a week. */
export function mondayOf(week: number): number {
  return week * DAYS_IN_WEEK - FIRST_DAY_OFFSET;
}

/** The epoch day of the Sunday of a week. */
export function sundayOf(week: number): number {
  return mondayOf(week + 1) - 1;
}
