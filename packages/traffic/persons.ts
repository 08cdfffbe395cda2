/**
 * Persons straight from their definition in docs/numbers.md: by looking at all events, without deltas, state or order. Independent of the
 * code that it checks.
 */

/** An anonymous id that was seen with more users counts for none of them, and is no person either. */
const SHARED_BY_MORE_THAN = 50;

/** What a person depends on. Absent ids are null, and an absent `is_bot` is false. */
export interface PersonEvent {
  readonly event_time: number;
  readonly user_id: string | null;
  readonly anonymous_id?: string | null;
  readonly is_bot?: boolean;
}

export interface Person {
  readonly kind: "user" | "anonymous";
  /** Days with an event that is not a bot's, YYYY-MM-DD. */
  readonly humanDays: ReadonlySet<string>;
  /** Days with any event. */
  readonly days: ReadonlySet<string>;
}

interface Days {
  readonly kind: Person["kind"];
  readonly humanDays: Set<string>;
  readonly days: Set<string>;
}

/** The users that each anonymous id was ever seen with. */
function usersOfAnonymousIds(events: readonly PersonEvent[]): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  for (const { user_id, anonymous_id = null } of events) {
    if (anonymous_id === null) continue;
    const seenWith = users.get(anonymous_id) ?? new Set<string>();
    if (user_id !== null) seenWith.add(user_id);
    users.set(anonymous_id, seenWith);
  }
  return users;
}

/**
 * All persons of some events, with their days.
 * @param dateOf the day of a moment (epoch ms), YYYY-MM-DD
 */
export function personsOf(events: readonly PersonEvent[], dateOf: (ms: number) => string): Person[] {
  const seenWith = usersOfAnonymousIds(events);
  const persons = new Map<string, Days>();
  const add = (kind: Person["kind"], id: string, date: string, isBot: boolean): void => {
    const key = JSON.stringify([kind, id]);
    const person = persons.get(key) ?? { kind, humanDays: new Set(), days: new Set() };
    persons.set(key, person);
    person.days.add(date);
    if (!isBot) person.humanDays.add(date);
  };
  for (const { event_time, user_id, anonymous_id = null, is_bot = false } of events) {
    const date = dateOf(event_time);
    if (user_id !== null) add("user", user_id, date, is_bot);
    if (anonymous_id === null) continue;
    const users = seenWith.get(anonymous_id) ?? new Set<string>();
    if (users.size === 0) add("anonymous", anonymous_id, date, is_bot);
    if (users.size <= SHARED_BY_MORE_THAN) for (const user of users) add("user", user, date, is_bot);
  }
  return [...persons.values()];
}

/** The days on which a person counts. */
export function countedDays(person: Person, countBots: boolean): ReadonlySet<string> {
  return countBots ? person.days : person.humanDays;
}

const DAY_MS = 86_400_000;

/** A date some days later. @param date YYYY-MM-DD */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The earliest of some dates; undefined without any. */
export function earliest(dates: Iterable<string>): string | undefined {
  return [...dates].sort()[0];
}
