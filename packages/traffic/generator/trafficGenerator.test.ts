import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { addInterval, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { validateEvent } from "@eventlogger/events/validation";
import { isOfBot, userAgentOf } from "./bots";
import { generateTraffic } from "./trafficGenerator";
import { trafficOptions, type TrafficOptions } from "./trafficOptions";

const NOW = Date.UTC(2024, 4, 17, 12);
const GAP = 30 * 60_000;

const make = (options: Partial<TrafficOptions> = {}): EventInput[] => [...generateTraffic({ now: NOW, ...options })];

function validated(inputs: readonly EventInput[], now = NOW): AnalyticsEvent[] {
  return inputs.map((input) => {
    const result = validateEvent(JSON.parse(JSON.stringify(input)), now);
    return result.ok ? result.event : assert.fail(JSON.stringify([result.errors, input]));
  });
}

const share = (part: number, whole: number): number => part / whole;
const distinct = <T>(items: readonly T[]): number => new Set(items).size;
function assertAbout(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected about ${expected}`);
}

/** Counts joined sessions and exact gaps when the events reach the session ledgers in this order. */
function ledgerStory(events: readonly AnalyticsEvent[]): { bridges: number; exactGaps: number } {
  const ledgers = new Map<string, Interval[]>();
  let bridges = 0;
  for (const { event_time: time, session_id } of events) {
    const key = `${dayOf(time)} ${session_id}`;
    const change = addInterval(ledgers.get(key) ?? [], [time, time], GAP);
    if (!change) continue;
    if (change.sessions < 0) bridges++;
    ledgers.set(key, change.intervals);
  }
  let exactGaps = 0;
  for (const intervals of ledgers.values()) {
    intervals.forEach((interval, i) => {
      if (i > 0 && interval[0] - (intervals[i - 1]?.[1] ?? 0) === GAP) exactGaps++;
    });
  }
  return { bridges, exactGaps };
}

describe("generateTraffic", () => {
  const endToEnd: Partial<TrafficOptions> = {
    count: 20_000,
    days: 5,
    users: 2000,
    eventsPerSession: 4,
    duplicateShare: 0.1,
    anonymousShare: 0.1,
    shuffleWindow: 20_000,
  };

  it("generateTraffic gives 20,000 valid events of 2,000 users on 6 days, one of them in 2020", () => {
    const events = validated(make(endToEnd));
    assert.equal(events.length, 20_000);
    const days = [...new Set(events.map((e) => dayToIso(dayOf(e.event_time))))].sort();
    assert.deepEqual(days, ["2020-02-29", "2024-05-13", "2024-05-14", "2024-05-15", "2024-05-16", "2024-05-17"]);
    assert.ok(events.every((e) => e.event_time <= NOW));
    assert.equal(distinct(events.map((e) => e.user_id).filter((user) => user !== null)), 2000);
    assertAbout(share(events.filter((e) => e.user_id === null).length, 20_000), 0.1, 0.02, "anonymous");
    assertAbout(1 - share(distinct(events.map((e) => e.event_id)), 20_000), 0.1, 0.01, "duplicates");
    const { bridges, exactGaps } = ledgerStory(events);
    assert.ok(bridges > 50, `${bridges} bridges`);
    assert.ok(exactGaps > 20, `${exactGaps} neighbours exactly the gap apart`);
    const spans = new Map<string, Set<number>>();
    for (const e of events) spans.set(e.session_id, (spans.get(e.session_id) ?? new Set()).add(dayOf(e.event_time)));
    assert.ok([...spans.values()].filter((daysOf) => daysOf.size === 2).length > 50, "sessions across midnight");
    assert.ok(
      events.some((e) => e.event_time % 86_400_000 === 0),
      "an event at midnight exactly",
    );
    const userDays = new Map<string | null, Set<number>>();
    for (const e of events) userDays.set(e.user_id, (userDays.get(e.user_id) ?? new Set()).add(dayOf(e.event_time)));
    assert.ok([...userDays.values()].filter((daysOf) => daysOf.size > 1).length > 300, "users come back");
  });

  it("generateTraffic repeats events byte for byte", () => {
    const seen = new Map<string, string>();
    let repeats = 0;
    for (const input of make({ duplicateShare: 0.3 })) {
      const json = JSON.stringify(input);
      const before = seen.get(input.event_id ?? "");
      if (before !== undefined) {
        assert.equal(json, before);
        repeats++;
      }
      seen.set(input.event_id ?? "", json);
    }
    assertAbout(share(repeats, 10_000), 0.3, 0.03, "repeats");
  });

  it("generateTraffic gives the same events for the same options, and other ids for other options", () => {
    assert.deepEqual(make({ count: 500 }), make({ count: 500 }));
    const ids = (options: Partial<TrafficOptions>): string[] =>
      make({ count: 500, ...options }).map((e) => e.event_id ?? "");
    const known = new Set(ids({}));
    for (const other of [{ seed: 2 }, { now: NOW + 1 }, { count: 501 }, { users: 10 }] as Partial<TrafficOptions>[]) {
      assert.ok(!ids(other).some((id) => known.has(id)), JSON.stringify(other));
    }
  });

  it("generateTraffic gives sessions of the requested mean size with a heavy tail", () => {
    const events = make({ count: 50_000, duplicateShare: 0, gapEdgeShare: 0, bridgeShare: 0, midnightShare: 0 });
    const sizes = new Map<string, number>();
    for (const e of events) sizes.set(e.session_id, (sizes.get(e.session_id) ?? 0) + 1);
    assertAbout(50_000 / sizes.size, 8, 1, "events a session");
    const sorted = [...sizes.values()].sort((a, b) => a - b);
    assert.ok((sorted[sorted.length >> 1] ?? 9) <= 5, "the median is well below the mean");
    assert.ok((sorted[sorted.length - 1] ?? 0) >= 80, "the largest is ten times the mean");
  });

  it("generateTraffic can give every event a new user and a new session", () => {
    const only = { bridgeShare: 0, gapEdgeShare: 0, midnightShare: 0, duplicateShare: 0, anonymousShare: 0 };
    const events = make({ ...only, count: 2000, users: 2000, eventsPerSession: 1 });
    assert.equal(distinct(events.map((e) => e.session_id)), 2000);
    assert.equal(distinct(events.map((e) => e.user_id)), 2000);
  });

  it("generateTraffic is in the order of time when no option disturbs it", () => {
    const calm = { duplicateShare: 0, lateShare: 0, oldShare: 0, bridgeShare: 0, midnightShare: 0, shuffleWindow: 0 };
    const events = validated(make({ ...calm, days: 3, count: 5000 }));
    const starts = [...new Map(events.map((e) => [e.session_id, e.event_time] as const).reverse()).values()].reverse();
    const back = starts.filter((time, i) => time < (starts[i - 1] ?? 0) - 3 * 3_600_000);
    assertAbout(share(back.length, starts.length), 0, 0.05, "sessions that start far earlier than the one before");
  });

  it("generateTraffic ends live sessions at the current time", () => {
    let clock = NOW;
    const live = generateTraffic({ now: () => clock, count: Infinity, oldShare: 0, shuffleWindow: 0, lateBy: 10 });
    const recent: AnalyticsEvent[] = [];
    for (let i = 0; i < 5000; i++) {
      clock += 1000;
      const { value } = live.next();
      if (!value) assert.fail("ended");
      recent.push(...validated([value], clock));
      const latest = recent[recent.length - 1]?.event_time ?? 0;
      assert.ok(latest <= clock, "not in the future");
    }
    const fresh = recent.filter((e, i) => NOW + (i + 1) * 1000 - e.event_time < 3_600_000);
    assert.ok(share(fresh.length, 5000) > 0.8, `${fresh.length} of 5000 within the hour`);
  });

  it("generateTraffic just after midnight gives today its share and no events in the future", () => {
    const now = Date.UTC(2024, 4, 17, 0, 0, 5);
    const events = validated(make({ now, days: 3, count: 3000, oldShare: 0 }), now);
    assert.equal(events.length, 3000);
    assert.ok(events.every((e) => e.event_time <= now));
    assert.equal(distinct(events.map((e) => dayOf(e.event_time))), 3);
  });

  it("generateTraffic gives the same traffic as before it had anonymous ids and bots, unless they are asked for", () => {
    // Benchmarks of releases are compared.
    const hash = createHash("sha256");
    for (const input of make({ count: 2000, days: 5, users: 300, duplicateShare: 0.1, seed: 7 })) {
      hash.update(JSON.stringify(input));
    }
    assert.equal(hash.digest("hex").slice(0, 16), "17852a230e83c1da");
  });

  it("generateTraffic gives anonymous ids that users log in on, before and after other sessions, and some that too many share", () => {
    const events = validated(make({ ...endToEnd, anonymousIdShare: 0.5, sharedDeviceShare: 0.3 }));
    assertAbout(share(events.filter((e) => e.anonymous_id !== null).length, 20_000), 0.5, 0.03, "with an anonymous id");
    const users = new Map<string, Set<string>>();
    for (const { anonymous_id, user_id } of events) {
      if (anonymous_id === null) continue;
      const seenWith = users.get(anonymous_id) ?? new Set<string>();
      users.set(anonymous_id, user_id === null ? seenWith : seenWith.add(user_id));
    }
    const counts = [...users.values()].map(({ size }) => size);
    assert.ok(counts.filter((n) => n === 0).length > 100, "visitors who never log in");
    assert.ok(counts.filter((n) => n === 1).length > 100, "devices of one user");
    assert.ok(counts.filter((n) => n > 1 && n <= 50).length > 10, "shared devices");
    assert.ok(Math.max(...counts) > 50, `a device that ${Math.max(...counts)} users share`);
    const isLinked = (id: string | null): boolean => id !== null && (users.get(id)?.size ?? 0) > 0;
    const loggedOut = events.filter((e) => e.user_id === null && isLinked(e.anonymous_id));
    assert.ok(loggedOut.length > 500, `${loggedOut.length} events of a linked device without a user`);
  });

  it("generateTraffic gives sessions of bots, whose events are sent with the user agent of one", () => {
    const events = make({ count: 5000, botShare: 0.2 });
    assertAbout(share(events.filter(isOfBot).length, 5000), 0.2, 0.05, "of bots");
    for (const event of events) {
      assert.equal(userAgentOf(event)?.includes("Googlebot") ?? false, event.session_id.startsWith("bot-"));
    }
  });

  it("generateTraffic reports the name of an invalid option", () => {
    assert.throws(
      () => generateTraffic({ lateShare: 2 }),
      /Traffic option lateShare must be a share from 0 to 1, not 2/,
    );
    assert.throws(() => generateTraffic({ count: Infinity, now: NOW }), /count must be finite unless/);
    assert.throws(() => generateTraffic({ duplicateShare: 0.6 }), /duplicateShare must be at most 0.5/);
    assert.throws(() => generateTraffic({ oldDays: ["2020-02-30"] }), /oldDays must be dates/);
    assert.throws(() => generateTraffic({ users: 1.5 }), /users must be a whole number/);
    assert.throws(() => generateTraffic({ eventsPerSession: NaN }), /eventsPerSession must be at least 1/);
    assert.equal(trafficOptions({ users: undefined }).users, 2000);
  });
});
