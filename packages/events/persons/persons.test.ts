import assert from "node:assert/strict";
import fc from "fast-check";
import type { RetentionDelta } from "../totals/retention";
import { dayDelta, sumDeltas, type DayDelta } from "../totals/totals";
import {
  addAnonymousDay,
  MAX_LINKED_USERS,
  mergeAnonymousRecord,
  newAnonymousId,
  recordsOfAnonymousId,
  type AnonymousId,
  type Contribution,
} from "./anonymousId";
import { markDay } from "./markedDay";
import { PersonChange, type CountRules } from "./personDeltas";
import { addUserDay, contributeToUser, mergeContribution, mergeDirectDays, newUser, type User } from "./user";

interface Seen {
  readonly anonymous: string | null;
  readonly user: string | null;
  /** Epoch day. */
  readonly day: number;
  readonly isBot: boolean;
}

/** 2026-01-05, a Monday. */
const MONDAY = 20_458;

/** The ledgers without Beam: contributions wait until they are delivered, in any order. */
class Ledgers {
  readonly users = new Map<string, User>();
  readonly anonymous = new Map<string, AnonymousId>();
  private readonly days: DayDelta[] = [];
  private readonly weeks: RetentionDelta[] = [];
  private readonly waiting: Contribution[] = [];

  constructor(private readonly rules: CountRules) {}

  add({ anonymous, user, day, isBot }: Seen): void {
    const marked = markDay(day, isBot);
    if (user !== null) this.collect((change) => void addUserDay(this.user(user), marked, change));
    if (anonymous === null) return;
    const id = this.anonymous.get(anonymous) ?? newAnonymousId();
    this.anonymous.set(anonymous, id);
    const person = new PersonChange(this.rules, true);
    addAnonymousDay(id, marked, user ?? undefined, { person, contributions: this.waiting });
    this.take(person);
  }

  /** Delivers one contribution that waits. */
  deliver(which: number): void {
    const [contribution] = this.waiting.splice(which % Math.max(this.waiting.length, 1), 1);
    if (!contribution) return;
    const { user, day, change: by } = contribution;
    this.collect((change) => void contributeToUser(this.user(user), day, by, change));
  }

  deliverAll(which: number): void {
    while (this.waiting.length > 0) this.deliver(which);
  }

  /** The sums of all deltas. */
  totals(): Totals {
    const weeks = new Map<string, number>();
    for (const { cohortWeek, weekOffset, persons } of this.weeks) {
      const key = `${cohortWeek} ${weekOffset}`;
      weeks.set(key, (weeks.get(key) ?? 0) + persons);
    }
    return sorted(sumDeltas(this.days), [...weeks]);
  }

  /** Everything the ledgers know. */
  state(): unknown {
    const entries = <T>(map: Map<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    const users = entries(this.users).map(([id, user]) => [id, user.direct, user.days]);
    const anonymous = entries(this.anonymous).map(([id, { links, ...rest }]) => [id, rest, links && entries(links)]);
    return { users, anonymous };
  }

  private user(id: string): User {
    const user = this.users.get(id) ?? newUser();
    this.users.set(id, user);
    return user;
  }

  private collect(run: (change: PersonChange) => void): void {
    const change = new PersonChange(this.rules);
    run(change);
    this.take(change);
  }

  private take({ days, weeks }: PersonChange): void {
    this.days.push(...days);
    this.weeks.push(...weeks);
  }
}

interface Totals {
  readonly days: readonly DayDelta[];
  readonly weeks: readonly (readonly [string, number])[];
}

function sorted(days: readonly DayDelta[], weeks: readonly (readonly [string, number])[]): Totals {
  return {
    days: [...days].sort((a, b) => a.day - b.day),
    weeks: weeks.filter(([, n]) => n !== 0).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

interface Person {
  readonly isAnonymous: boolean;
  readonly human: Set<number>;
  readonly bots: Set<number>;
}

/** The persons of the definition, by going over all events again and again. */
function bruteForcePersons(events: readonly Seen[]): Person[] {
  const persons: Person[] = [];
  const personOf = (isAnonymous: boolean, days: readonly Seen[]): void => {
    const of = (isBot: boolean) => new Set(days.filter((event) => event.isBot === isBot).map(({ day }) => day));
    persons.push({ isAnonymous, human: of(false), bots: of(true) });
  };
  const usersOf = (anonymous: string | null) =>
    new Set(events.flatMap((e) => (e.anonymous === anonymous && e.user !== null ? [e.user] : [])));
  const ids = new Set(events.map(({ anonymous }) => anonymous).filter((id) => id !== null));
  for (const id of ids) {
    if (usersOf(id).size > 0) continue;
    personOf(
      true,
      events.filter(({ anonymous }) => anonymous === id),
    );
  }
  for (const user of new Set(events.map((event) => event.user).filter((id) => id !== null))) {
    const linked = [...ids].filter((id) => usersOf(id).has(user) && usersOf(id).size <= MAX_LINKED_USERS);
    personOf(
      false,
      events.filter((event) => event.user === user || linked.some((id) => id === event.anonymous)),
    );
  }
  return persons;
}

const mondayBefore = (day: number): number => {
  const weekday = new Date(day * 86_400_000).getUTCDay();
  return day - ((weekday + 6) % 7);
};

function bruteForce(events: readonly Seen[], { countBots }: CountRules): Totals {
  const persons = bruteForcePersons(events).map((person) => ({
    ...person,
    counted: countBots ? new Set([...person.human, ...person.bots]) : person.human,
  }));
  const all = events.map(({ day }) => day);
  const [first, last] = [Math.min(...all), Math.max(...all) + 31];
  const activeIn = (from: number, to: number): number =>
    persons.filter(({ counted }) => [...counted].some((day) => day >= from && day <= to)).length;
  const deltas: DayDelta[] = [];
  for (let day = first; day <= last; day++) {
    const active = persons.filter(({ counted }) => counted.has(day));
    deltas.push(
      dayDelta(day, {
        activeUsers: active.length,
        anonymousUsers: active.filter(({ isAnonymous }) => isAnonymous).length,
        newUsers: active.filter(({ counted }) => Math.min(...counted) === day).length,
        botUsers: persons.filter(({ human, bots }) => bots.has(day) && !human.has(day)).length,
        weeklyActiveChange: activeIn(day - 6, day) - activeIn(day - 7, day - 1),
        monthlyActiveChange: activeIn(day - 29, day) - activeIn(day - 30, day - 1),
      }),
    );
  }
  const weeks = new Map<string, number>();
  for (const { counted } of persons) {
    const cohort = mondayBefore(Math.min(...counted));
    for (const week of new Set([...counted].map(mondayBefore))) {
      const offset = (week - cohort) / 7;
      if (offset <= 53) weeks.set(`${cohort} ${offset}`, (weeks.get(`${cohort} ${offset}`) ?? 0) + 1);
    }
  }
  return sorted(sumDeltas(deltas), [...weeks]);
}

const days = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: MONDAY - 10, max: MONDAY + 10 }) },
  { weight: 2, arbitrary: fc.integer({ min: MONDAY - 60, max: MONDAY + 60 }) },
  { weight: 1, arbitrary: fc.integer({ min: MONDAY - 420, max: MONDAY + 420 }) },
);

/** @param users number of users that ids can be seen with */
const eventsOf = (users: number, maxLength: number): fc.Arbitrary<Seen[]> =>
  fc.array(
    fc.record({
      anonymous: fc.constantFrom(null, "a", "b", "u1"),
      user: fc.oneof(
        fc.constant(null),
        fc.nat(users - 1).map((n) => `u${n}`),
      ),
      day: days,
      isBot: fc.boolean(),
    }),
    { minLength: 1, maxLength },
  );

/** Events, and the same ones in another order, with some of them repeated. */
const orders = (events: fc.Arbitrary<Seen[]>): fc.Arbitrary<{ events: Seen[]; sent: Seen[] }> =>
  events.chain((list) =>
    fc
      .shuffledSubarray([...list, ...list], { minLength: list.length })
      .map((sent) => ({ events: list, sent: [...sent, ...list.filter((event) => !sent.includes(event))] })),
  );

const rules = fc.record({ countBots: fc.boolean() });

function ledgersOf(sent: readonly Seen[], rules: CountRules, delivered: readonly number[]): Ledgers {
  const ledgers = new Ledgers(rules);
  sent.forEach((event, i) => {
    ledgers.add(event);
    for (let n = delivered[i % delivered.length] ?? 0; n > 0; n--) ledgers.deliver(7 * n + i);
  });
  ledgers.deliverAll(delivered[0] ?? 0);
  return ledgers;
}

describe("persons", () => {
  it("the sums of all deltas equal brute force for any order, grouping and repetition of events, links and contributions", () => {
    fc.assert(
      fc.property(
        orders(eventsOf(3, 25)),
        rules,
        fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
        ({ events, sent }, rules, delivered) => {
          const ledgers = ledgersOf(sent, rules, delivered);
          assert.deepEqual(ledgers.totals(), bruteForce(events, rules));
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("the ledgers know the same after any order and repetition of events", () => {
    fc.assert(
      fc.property(orders(eventsOf(3, 25)), ({ events, sent }) => {
        const [rules, delivered] = [{ countBots: false }, [1]];
        assert.deepEqual(ledgersOf(sent, rules, delivered).state(), ledgersOf(events, rules, delivered).state());
      }),
    );
  });

  it("an anonymous id that was seen with more than 50 users counts for nobody, whatever came first", () => {
    const users = fc.integer({ min: MAX_LINKED_USERS - 2, max: MAX_LINKED_USERS + 3 });
    const links = users.map((n) =>
      Array.from({ length: n }, (_, i): Seen => ({
        anonymous: "a",
        user: `u${i}`,
        day: MONDAY + (i % 9),
        isBot: i % 7 === 0,
      })),
    );
    const events = fc.tuple(eventsOf(5, 10), links).map(([some, linked]) => [...some, ...linked]);
    fc.assert(
      fc.property(orders(events), rules, ({ events, sent }, rules) => {
        assert.deepEqual(ledgersOf(sent, rules, [2]).totals(), bruteForce(events, rules));
      }),
      { numRuns: 60 },
    );
    const change = { person: new PersonChange({ countBots: false }, true), contributions: [] };
    const id = newAnonymousId();
    for (let i = 0; i <= MAX_LINKED_USERS; i++) addAnonymousDay(id, markDay(MONDAY, false), `u${i}`, change);
    assert.ok(id.isShared && id.links === undefined);
    assert.equal(addAnonymousDay(id, markDay(MONDAY, false), "u", change), false);
  });

  it("an anonymous id that is always sent with its user contributes nothing, and the user has no contributed days", () => {
    const events = [0, 3, 9].map((n): Seen => ({ anonymous: "a", user: "u", day: MONDAY + n, isBot: false }));
    const ledgers = ledgersOf(events, { countBots: false }, [1]);
    const user = ledgers.users.get("u");
    assert.ok(user && user.contributed === undefined && user.days === user.direct);
  });

  it("stored records of an anonymous id give the same id in any order and when repeated", () => {
    fc.assert(
      fc.property(orders(eventsOf(60, 80)), fc.boolean(), ({ sent }, isReversed) => {
        const known = ledgersOf(sent, { countBots: false }, [0]).anonymous;
        for (const id of known.values()) {
          const records = recordsOfAnonymousId(id);
          const merged = newAnonymousId();
          const list = isReversed ? [...records].reverse() : records;
          for (const record of [...list, ...list]) mergeAnonymousRecord(merged, record);
          assert.deepEqual(merged, id);
        }
      }),
    );
  });

  it("stored days and contributions of a user give the same days in any order and when repeated", () => {
    const day = markDay(MONDAY, false);
    const other = markDay(MONDAY + 1, true);
    const counts = fc.shuffledSubarray(
      [
        (user: User) => mergeContribution(user, day, { begun: 1, ended: 0 }),
        (user: User) => mergeContribution(user, day, { begun: 2, ended: 1 }),
        (user: User) => mergeContribution(user, day, { begun: 2, ended: 2 }),
        (user: User) => mergeContribution(user, other, { begun: 0, ended: 1 }),
        (user: User) => mergeContribution(user, other, { begun: 1, ended: 1 }),
        (user: User) => mergeContribution(user, other, { begun: 2, ended: 1 }),
        (user: User) => mergeDirectDays(user, { human: MONDAY + 5, bots: undefined }),
      ],
      { minLength: 7 },
    );
    fc.assert(
      fc.property(counts, (merges) => {
        const user = newUser();
        for (const merge of [...merges, ...merges]) merge(user);
        assert.deepEqual(user.days, { human: MONDAY + 5, bots: MONDAY + 1 });
        assert.deepEqual(user.direct, { human: MONDAY + 5, bots: undefined });
      }),
    );
  });

  it("changes after the year 9999, which BigQuery has no dates for, are left out", () => {
    const last = 2_932_896;
    const change = new PersonChange({ countBots: false });
    change.add({ human: undefined, bots: undefined }, markDay(last - 10, false));
    assert.deepEqual(
      change.days.map(({ day }) => day),
      [last - 10, last - 3],
    );
  });
});
