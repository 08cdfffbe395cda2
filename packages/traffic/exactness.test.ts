import assert from "node:assert/strict";
import fc from "fast-check";
import { dayToDdMmYyyy } from "@eventlogger/events/day";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { markDay } from "@eventlogger/events/persons/markedDay";
import { PersonChange } from "@eventlogger/events/persons/personDeltas";
import { addUserDay, newUser, type User } from "@eventlogger/events/persons/user";
import { addInterval, unionIntervals, type Interval } from "@eventlogger/events/sessions/sessionIntervals";
import { averageSessionDurationMin, averageSessionDurationSec } from "./averages";
import { bruteForceRollups, type RollupReport } from "./bruteForce";
import { addToTotals, dayDelta, sumDeltas, type DayDelta, type DayTotals } from "@eventlogger/events/totals/totals";
import { createRandom, type Random } from "./generator/random";
import { generateTraffic } from "./generator/trafficGenerator";
import { validateEvent } from "@eventlogger/events/validation";
import { TimeZone } from "@eventlogger/events/zone/timeZone";

/** The ledgers of the pipeline without Beam, which only chooses order and grouping. */
class Ledgers {
  private readonly sessions = new Map<string, Interval[]>();
  private readonly users = new Map<string, User>();
  private readonly totals = new Map<number, DayTotals>();
  private pending: DayDelta[] = [];

  constructor(private readonly gapMs: number) {}

  addPartial(day: number, sessionId: string, partial: Interval): void {
    const key = `${day} ${sessionId}`;
    const change = addInterval(this.sessions.get(key) ?? [], partial, this.gapMs);
    if (!change) return;
    this.sessions.set(key, change.intervals);
    this.pending.push(dayDelta(day, { sessions: change.sessions, durationMs: change.durationMs }));
  }

  addUserDay(userId: string, day: number): void {
    const user = this.users.get(userId) ?? newUser();
    this.users.set(userId, user);
    const change = new PersonChange({ countBots: false });
    addUserDay(user, markDay(day, false), change);
    this.pending.push(...change.days);
  }

  endBundle(): void {
    for (const delta of sumDeltas(this.pending)) {
      this.totals.set(delta.day, addToTotals(this.totals.get(delta.day), delta));
    }
    this.pending = [];
  }

  report(): RollupReport {
    this.endBundle();
    const days = [...this.totals.values()].filter((t) => t.sessions > 0).sort((a, b) => a.day - b.day);
    return {
      total_users: days.reduce((sum, t) => sum + t.newUsers, 0),
      daily_stats: days.map((t) => ({
        date: dayToDdMmYyyy(t.day),
        average_session_duration_min: averageSessionDurationMin(t.durationMs, t.sessions),
        average_session_duration_sec: averageSessionDurationSec(t.durationMs, t.sessions),
        session_duration_ms: Number(t.durationMs),
        active_user_count: t.activeUsers,
        new_user_count: t.newUsers,
        session_count: t.sessions,
      })),
    };
  }
}

/** Session windows with discarding panes: a pane holds the events of its window since the last pane. */
class SessionWindows {
  private readonly seen = new Map<string, { day: number; sessionId: string; times: number[]; unfired: number[] }>();

  constructor(private readonly gapMs: number) {}

  add(day: number, sessionId: string, time: number): void {
    const key = `${day} ${sessionId}`;
    const entry = this.seen.get(key) ?? { day, sessionId, times: [], unfired: [] };
    this.seen.set(key, entry);
    entry.times.push(time);
    entry.unfired.push(time);
  }

  fire(ledgers: Ledgers): void {
    for (const entry of this.seen.values()) {
      const windows = unionIntervals(
        entry.times.map((t): Interval => [t, t]),
        this.gapMs,
      );
      for (const [first, last] of windows) {
        const pane = entry.unfired.filter((t) => t >= first && t <= last);
        if (pane.length > 0) ledgers.addPartial(entry.day, entry.sessionId, [Math.min(...pane), Math.max(...pane)]);
      }
      entry.unfired = [];
    }
  }
}

/** Sends events through the ledgers: some bypass the windows, panes fire and bundles end at random times. */
function throughLedgers(
  events: readonly AnalyticsEvent[],
  gapMs: number,
  random: Random,
  zone = TimeZone.UTC,
): RollupReport {
  const ledgers = new Ledgers(gapMs);
  const windows = new SessionWindows(gapMs);
  const bypass = random.float();
  const fire = random.float() * 0.3;
  for (const event of events) {
    const day = zone.dayOf(event.event_time);
    if (random.chance(bypass)) ledgers.addPartial(day, event.session_id, [event.event_time, event.event_time]);
    else windows.add(day, event.session_id, event.event_time);
    if (event.user_id !== null) ledgers.addUserDay(event.user_id, day);
    if (random.chance(fire)) windows.fire(ledgers);
    if (random.chance(0.2)) ledgers.endBundle();
  }
  windows.fire(ledgers);
  return ledgers.report();
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random.float() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

const NOW = Date.UTC(2024, 4, 17, 12);
const MIDNIGHT = Date.UTC(2024, 4, 16);

function event(input: EventInput): AnalyticsEvent {
  const result = validateEvent(input, NOW);
  return result.ok ? result.event : assert.fail(JSON.stringify(result.errors));
}

/** Few sessions, users and times, so that they collide: around a midnight, a day later, and in 2020. */
const crowded = fc.array(
  fc.record({
    session: fc.nat(3),
    user: fc.option(fc.nat(3)),
    day: fc.constantFrom(MIDNIGHT, MIDNIGHT, MIDNIGHT + 86_400_000, Date.UTC(2020, 1, 29)),
    offset: fc.integer({ min: -25, max: 25 }),
  }),
  { minLength: 1, maxLength: 60 },
);

describe("exactness", () => {
  it("the ledgers equal brute force for any order, grouping and duplication of events", () => {
    fc.assert(
      fc.property(crowded, fc.integer({ min: 1, max: 12 }), fc.nat(), (list, gapMs, seed) => {
        const random = createRandom(seed);
        const events = list.map(({ session, user, day, offset }, i) =>
          event({
            type: "event",
            event_id: `e${i}`,
            session_id: `s${session}`,
            event_name: "n",
            event_time: day + offset,
            user_id: user === null ? null : `u${user}`,
          }),
        );
        const sent = shuffled([...events, ...events.filter(() => random.chance(0.3))], random);
        assert.deepEqual(throughLedgers(sent, gapMs, random), bruteForceRollups(events, gapMs));
      }),
      { numRuns: 3000 },
    );
  });

  it("the ledgers equal brute force for generated traffic in several orders and time zones", () => {
    const events = [
      ...generateTraffic({ now: NOW, days: 5, count: 3000, users: 300, duplicateShare: 0.1, lateBy: 300 }),
    ].map(event);
    assert.equal(bruteForceRollups(events).daily_stats.length, 6);
    const zones = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "UTC"];
    for (const [seed, timeZone] of zones.entries()) {
      const random = createRandom(seed);
      const order = seed === 0 ? events : shuffled(events, random);
      const expected = bruteForceRollups(events, 30 * 60_000, timeZone);
      assert.deepEqual(throughLedgers(order, 30 * 60_000, random, TimeZone.of(timeZone)), expected);
    }
  });
});
