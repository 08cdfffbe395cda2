import type { MarkedDay } from "./markedDay";
import {
  addAllDays,
  addMarkedDay,
  hasMarkedDay,
  listMarkedDays,
  noDays,
  removeMarkedDay,
  subtractPersonDays,
} from "./personDays";
import type { PersonChange, PersonDays } from "./personDeltas";

/** An anonymous id that was seen with more users than this belongs to a shared device, and counts for nobody. */
export const MAX_LINKED_USERS = 50;

/**
 * What is known of an anonymous id: the days of its events, and for each user that it was seen with (a link), the days on which they were
 * seen together. It only grows, so that it does not depend on the order, grouping or repetition of events.
 *
 * Without a link, the id is a person itself. With links, it contributes to each linked user the days of the id that the user does not have
 * by events with both ids. So an id that is always sent together with its user contributes nothing.
 */
export interface AnonymousId {
  /** All days of the id. */
  days: PersonDays;
  /** The days together with each user, by the user's key. Undefined without links. */
  links: Map<string, PersonDays> | undefined;
  /** Whether the id was seen with more than {@link MAX_LINKED_USERS} users. Nothing else is known then. */
  isShared: boolean;
}

/** An anonymous id contributes a day to a linked user, or no longer does. */
export interface Contribution {
  /** Key of the user. */
  readonly user: string;
  readonly day: MarkedDay;
  readonly change: 1 | -1;
}

/** What an event of an anonymous id changes besides the id. */
export interface AnonymousChange {
  /** Changes of the counts by the id as a person. */
  readonly person: PersonChange;
  readonly contributions: Contribution[];
}

export function newAnonymousId(): AnonymousId {
  return { days: noDays(), links: undefined, isShared: false };
}

/** Forgets everything but that the id is shared. */
function becomeShared(id: AnonymousId): void {
  id.days = noDays();
  id.links = undefined;
  id.isShared = true;
}

function contribute(into: Contribution[], user: string, days: Readonly<PersonDays>, change: 1 | -1): void {
  for (const day of listMarkedDays(days)) into.push({ user, day, change });
}

/** Contributes a day that is new to the id to all linked users but one. */
function contributeDay(links: AnonymousId["links"], day: MarkedDay, except: string | undefined, into: Contribution[]) {
  if (!links) return;
  for (const user of links.keys()) if (user !== except) into.push({ user, day, change: 1 });
}

/** The id is no longer a person. */
function endPerson(days: Readonly<PersonDays>, person: PersonChange): void {
  const rest = { ...days };
  // From the last day to the first, so that the first day changes once.
  for (const day of listMarkedDays(days).sort((a, b) => b - a)) {
    removeMarkedDay(rest, day);
    person.remove(rest, day);
  }
}

/**
 * Adds a day of an anonymous id.
 * @param user key of the user of the day's events; undefined for events without a user
 * @param change receives the changes
 * @returns whether the id has changed
 */
export function addAnonymousDay(
  id: AnonymousId,
  day: MarkedDay,
  user: string | undefined,
  change: AnonymousChange,
): boolean {
  if (id.isShared) return false;
  return user === undefined ? addOwnDay(id, day, change) : addLinkedDay(id, day, user, change);
}

function addOwnDay(id: AnonymousId, day: MarkedDay, { person, contributions }: AnonymousChange): boolean {
  if (hasMarkedDay(id.days, day)) return false;
  if (id.links) contributeDay(id.links, day, undefined, contributions);
  else person.add(id.days, day);
  addMarkedDay(id.days, day);
  return true;
}

function addLinkedDay(id: AnonymousId, day: MarkedDay, user: string, change: AnonymousChange): boolean {
  const known = id.links?.get(user);
  const isNewDay = !hasMarkedDay(id.days, day);
  if (!known) return addLink(id, day, user, change);
  if (hasMarkedDay(known, day)) return false;
  const { contributions } = change;
  if (isNewDay) contributeDay(id.links, day, user, contributions);
  else contributions.push({ user, day, change: -1 });
  addMarkedDay(id.days, day);
  addMarkedDay(known, day);
  return true;
}

function addLink(id: AnonymousId, day: MarkedDay, user: string, { person, contributions }: AnonymousChange): true {
  const links = (id.links ??= new Map<string, PersonDays>());
  if (links.size === 0) endPerson(id.days, person);
  if (links.size >= MAX_LINKED_USERS) {
    for (const [linked, together] of links)
      contribute(contributions, linked, subtractPersonDays(id.days, together), -1);
    becomeShared(id);
    return true;
  }
  if (!hasMarkedDay(id.days, day)) contributeDay(links, day, undefined, contributions);
  const together = noDays();
  addMarkedDay(together, day);
  contribute(contributions, user, subtractPersonDays(id.days, together), 1);
  addMarkedDay(id.days, day);
  links.set(user, together);
  return true;
}

/** What is stored of an anonymous id: days of events without a user or with one, or that the id is shared. */
export type AnonymousRecord =
  | { readonly kind: "days"; readonly user: string | undefined; readonly days: Readonly<PersonDays> }
  | { readonly kind: "shared" };

/** Applies a stored record. Idempotent, commutative and associative. */
export function mergeAnonymousRecord(id: AnonymousId, record: AnonymousRecord): void {
  if (id.isShared) return;
  if (record.kind === "shared") return becomeShared(id);
  addAllDays(id.days, record.days);
  if (record.user === undefined) return;
  const links = (id.links ??= new Map<string, PersonDays>());
  const together = links.get(record.user) ?? noDays();
  addAllDays(together, record.days);
  links.set(record.user, together);
  if (links.size > MAX_LINKED_USERS) becomeShared(id);
}

/** The smallest list of records of an anonymous id. */
export function recordsOfAnonymousId({ days, links, isShared }: AnonymousId): AnonymousRecord[] {
  if (isShared) return [{ kind: "shared" }];
  let rest: PersonDays = days;
  const records: AnonymousRecord[] = [];
  for (const [user, together] of links ?? []) {
    records.push({ kind: "days", user, days: together });
    rest = subtractPersonDays(rest, together);
  }
  if (rest.human !== undefined || rest.bots !== undefined) records.push({ kind: "days", user: undefined, days: rest });
  return records;
}
