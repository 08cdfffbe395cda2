import assert from "node:assert/strict";
import fc from "fast-check";
import { bruteForceRetention } from "@eventlogger/traffic/bruteForceRetention";
import type { RetentionDifference } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import { sessionsOf, type Difference, type RollupNumber } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { unexplainedDifferences, unexplainedRetention } from "./inFlight";
import { dailyNumbers, type CountedEvent } from "./testing/dailyNumbers";

const GAP_MS = 1000;
const DAY_MS = 86_400_000;

type Event = CountedEvent;
type Numbers = Record<RollupNumber, number>;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const numbersOf = (events: readonly Event[]): Map<string, Numbers> => dailyNumbers(events, GAP_MS);

function differencesOf(expected: Map<string, Numbers>, actual: Map<string, Numbers>): Difference[] {
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((date): Difference[] => {
    const [want, have] = [expected.get(date), actual.get(date)];
    if (!want || !have) {
      return [{ date, number: "day", expected: sessionsOf(want), actual: sessionsOf(have) }];
    }
    const names = Object.keys(want).filter((name) => name !== "date") as RollupNumber[];
    return names
      .filter((number) => want[number] !== have[number])
      .map((number) => ({ date, number, expected: want[number], actual: have[number] }));
  });
}

function countByDay(events: readonly Event[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { event_time } of events) counts.set(dayOf(event_time), (counts.get(dayOf(event_time)) ?? 0) + 1);
  return counts;
}

/** As the SQL of the verifier: persons who may change by links, by day. `all` has the days of each anonymous id, `moved` is in flight. */
function countLinked(all: readonly Event[], moved: readonly Event[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of new Set(all.flatMap(({ anonymous_id }) => anonymous_id ?? []))) {
    const of = (list: readonly Event[]): readonly Event[] => list.filter(({ anonymous_id }) => anonymous_id === id);
    const users = new Set(of(all).flatMap(({ user_id }) => user_id ?? []));
    const hasNewLink = of(moved).some(({ user_id }) => user_id !== null);
    const days = new Set((hasNewLink ? of(all) : of(moved)).map(({ event_time }) => dayOf(event_time)));
    for (const day of days) counts.set(day, (counts.get(day) ?? 0) + users.size);
  }
  return counts;
}

const event = fc.record({
  session_id: fc.constantFrom("a", "b", "c"),
  user_id: fc.constantFrom("u", "v", "w", "x", null),
  anonymous_id: fc.constantFrom("a", "b", null, null),
  is_bot: fc.constantFrom(false, false, true),
  // Few times, so that many events are neighbours at about the gap.
  event_time: fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 40 }))
    .map(([day, step]) => day * DAY_MS + step * (GAP_MS / 4)),
});
const events = fc
  .array(event, { minLength: 1, maxLength: 40 })
  .map((list) => list.map((one, i): Event => ({ ...one, event_id: String(i) })));

/** The retention by brute force: persons by cohort and week. */
function retentionOf(events: readonly Event[]): Map<string, number> {
  const { cohorts } = bruteForceRetention(events);
  return new Map(
    cohorts.flatMap(({ week, retained }) => retained.map((n, offset) => [`${week} ${offset}`, n] as const)),
  );
}

function retentionDifferences(expected: Map<string, number>, actual: Map<string, number>): RetentionDifference[] {
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((key) => {
    const [cohortWeek = "", weekOffset] = key.split(" ");
    const [want, have] = [expected.get(key) ?? 0, actual.get(key) ?? 0];
    return want === have ? [] : [{ cohortWeek, weekOffset: Number(weekOffset), expected: want, actual: have }];
  });
}

describe("unexplainedRetention", () => {
  // The same events, a week apart instead of a day.
  const weekly = events.map((list) =>
    list.map((one): Event => ({ ...one, event_time: Math.floor(one.event_time / DAY_MS) * 7 * DAY_MS })),
  );

  it("events that are in only one of the retention and the raw rows explain every difference that they make", () => {
    fc.assert(
      fc.property(weekly, fc.array(fc.constantFrom("both", "numbers", "rows"), { maxLength: 40 }), (all, places) => {
        const place = (one: Event): string => places[Number(one.event_id)] ?? "both";
        const moved = all.filter((one) => place(one) !== "both");
        const found = retentionDifferences(
          retentionOf(all.filter((one) => place(one) !== "numbers")),
          retentionOf(all.filter((one) => place(one) !== "rows")),
        );
        const inFlight = { events: countByDay(moved), linked: countLinked(all, moved) };
        assert.deepEqual(unexplainedRetention(found, inFlight), []);
      }),
      { numRuns: 1000 },
    );
  });

  it("a difference by more persons than events in flight can change is unexplained, and every one without events in flight", () => {
    const at = (by: number): RetentionDifference => ({
      ...{ cohortWeek: "1970-01-05", weekOffset: 1, expected: 10, actual: 10 + by },
    });
    const inFlight = { events: new Map([["1970-01-02", 2]]), linked: new Map([["1970-02-10", 3]]) };
    assert.deepEqual(unexplainedRetention([at(5), at(-5), at(6), at(-6)], inFlight), [at(6), at(-6)]);
    assert.deepEqual(unexplainedRetention([at(1)], { events: new Map(), linked: new Map() }), [at(1)]);
  });
});

describe("unexplainedDifferences", () => {
  it("events that are in only one of numbers and raw rows explain every difference that they make", () => {
    fc.assert(
      fc.property(events, fc.array(fc.constantFrom("both", "numbers", "rows"), { maxLength: 40 }), (all, places) => {
        const place = (one: Event): string => places[Number(one.event_id)] ?? "both";
        const rows = all.filter((one) => place(one) !== "numbers");
        const counted = all.filter((one) => place(one) !== "rows");
        const moved = all.filter((one) => place(one) !== "both");
        const inFlight = { events: countByDay(moved), linked: countLinked(all, moved) };
        const found = differencesOf(numbersOf(rows), numbersOf(counted));
        assert.deepEqual(unexplainedDifferences(found, inFlight, GAP_MS), []);
      }),
      { numRuns: 2000 },
    );
  });

  it("without events in flight every difference is unexplained", () => {
    fc.assert(
      fc.property(events, events, (one, other) => {
        const found = differencesOf(numbersOf(one), numbersOf(other));
        assert.deepEqual(unexplainedDifferences(found, { events: new Map(), linked: new Map() }, GAP_MS), found);
      }),
    );
  });

  it("a difference that is larger than the events in flight allow is unexplained, for each number", () => {
    const events = new Map([
      ["1970-01-02", 2],
      ["1970-01-04", 1],
    ]);
    const linked = new Map([["1970-02-10", 3]]);
    const at = (date: string, number: RollupNumber | "day", by: number): Difference => ({
      ...{ date, number },
      expected: 100,
      actual: 100 + by,
    });
    const explained = [
      at("1970-01-02", "session_count", 2),
      at("1970-01-02", "active_user_count", -2),
      at("1970-01-02", "session_duration_ms", 4 * GAP_MS),
      at("1970-01-02", "average_session_duration_sec", 17),
      at("1970-01-03", "new_user_count", 2),
      at("1970-01-04", "total_users", 3),
      at("1970-01-02", "bot_session_count", 2),
      at("1970-01-02", "anonymous_user_count", 2),
      at("1970-01-02", "bot_user_count", -2),
      at("1970-01-08", "wau", 3),
      at("1970-01-09", "wau", 1),
      at("1970-01-31", "mau", -3),
      at("1970-02-10", "active_user_count", 3),
      at("1970-02-11", "total_users", 6),
      { date: "1970-01-04", number: "day", expected: 1, actual: undefined } as const,
    ];
    const unexplained = [
      at("1970-01-02", "session_count", 3),
      at("1970-01-02", "active_user_count", -3),
      at("1970-01-02", "session_duration_ms", 4 * GAP_MS + 1),
      at("1970-01-03", "average_session_duration_sec", 1),
      at("1970-01-03", "session_count", 1),
      at("1970-01-01", "new_user_count", 1),
      at("1970-01-03", "total_users", 3),
      at("1970-01-02", "bot_session_count", 3),
      at("1970-01-02", "anonymous_user_count", -3),
      at("1970-01-02", "bot_user_count", 3),
      at("1970-01-08", "wau", 4),
      at("1970-01-09", "wau", 2),
      at("1970-02-01", "mau", 2),
      at("1970-02-10", "session_count", 1),
      at("1970-02-10", "active_user_count", -4),
      { date: "1970-01-04", number: "day", expected: 2, actual: undefined } as const,
      { date: "1970-01-05", number: "day", expected: undefined, actual: 1 } as const,
    ];
    assert.deepEqual(unexplainedDifferences([...explained, ...unexplained], { events, linked }, GAP_MS), unexplained);
  });
});
