import type { MarkedDay } from "./markedDay";
import { addAllDays, addMarkedDay, hasMarkedDay, noDays, removeMarkedDay } from "./personDays";
import type { PersonChange, PersonDays } from "./personDeltas";

/**
 * How often anonymous ids began and ended to contribute a day to a user. Both numbers only grow, so that the greater ones of two are the
 * newer ones, whatever comes first. The runner does not keep the order of contributions, so that `ended` can be the greater for a moment.
 */
export interface ContributionCount {
  readonly begun: number;
  readonly ended: number;
}

/** What is known of a user. */
export interface User {
  /** Days of events with the user id. */
  readonly direct: PersonDays;
  /** Days that anonymous ids contribute. Undefined for most users, who have no such day. */
  contributed: Map<MarkedDay, ContributionCount> | undefined;
  /** The days of the user: the direct ones and those that are contributed. The same object as `direct` for most users. */
  days: PersonDays;
}

export function newUser(): User {
  const direct = noDays();
  return { direct, contributed: undefined, days: direct };
}

const isContributed = ({ begun, ended }: ContributionCount): boolean => begun > ended;

/**
 * Adds a day of events with the user id.
 * @param change receives the changes of the counts
 * @returns whether the user has changed
 */
export function addUserDay(user: User, day: MarkedDay, change: PersonChange): boolean {
  const { direct, days } = user;
  if (hasMarkedDay(direct, day)) return false;
  if (!hasMarkedDay(days, day)) change.add(days, day);
  addMarkedDay(direct, day);
  if (days !== direct) addMarkedDay(days, day);
  return true;
}

/** The contributed days of a user, which from now on are kept apart from the direct ones. */
function contributedDays(user: User): Map<MarkedDay, ContributionCount> {
  if (!user.contributed) {
    user.contributed = new Map();
    user.days = { ...user.direct };
  }
  return user.contributed;
}

/**
 * An anonymous id begins or ends to contribute a day.
 * @param change receives the changes of the counts
 * @returns the new count of the day
 */
export function contributeToUser(user: User, day: MarkedDay, by: 1 | -1, change: PersonChange): ContributionCount {
  const contributed = contributedDays(user);
  const { begun = 0, ended = 0 } = contributed.get(day) ?? {};
  const count = by > 0 ? { begun: begun + 1, ended } : { begun, ended: ended + 1 };
  contributed.set(day, count);
  const { direct, days } = user;
  const isActive = isContributed(count) || hasMarkedDay(direct, day);
  if (isActive === hasMarkedDay(days, day)) return count;
  if (isActive) {
    change.add(days, day);
    addMarkedDay(days, day);
  } else {
    removeMarkedDay(days, day);
    change.remove(days, day);
  }
  return count;
}

/** Applies stored direct days. Idempotent, commutative and associative, like {@link mergeContribution}. */
export function mergeDirectDays(user: User, added: Readonly<PersonDays>): void {
  addAllDays(user.direct, added);
  if (user.days !== user.direct) addAllDays(user.days, added);
}

/** Applies a stored count of a contributed day. */
export function mergeContribution(user: User, day: MarkedDay, { begun, ended }: ContributionCount): void {
  const contributed = contributedDays(user);
  const known = contributed.get(day);
  const count = { begun: Math.max(begun, known?.begun ?? 0), ended: Math.max(ended, known?.ended ?? 0) };
  contributed.set(day, count);
  if (isContributed(count)) addMarkedDay(user.days, day);
  else if (!hasMarkedDay(user.direct, day)) removeMarkedDay(user.days, day);
}
