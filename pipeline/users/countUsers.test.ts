import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { dayDelta, sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { Computations } from "../testing/computations";
import { parsedEvent } from "../testing/parsedEvents";

const at = (iso: string): number => Date.parse(`${iso}T12:00:00Z`);
const event = (date: string, user_id: string | null): ParsedEvent => parsedEvent({ event_time: at(date), user_id });
const stale = (date: string, user_id: string): ParsedEvent => ({ ...event(date, user_id), isStale: true });
const change = (date: string, activeUsers: number, newUsers: number): DayDelta =>
  dayDelta(dayOf(at(date)), { activeUsers, newUsers });
/** The changes of active and new persons. */
const activeAndNew = (deltas: readonly DayDelta[]): DayDelta[] =>
  deltas
    .filter(({ activeUsers, newUsers }) => activeUsers !== 0 || newUsers !== 0)
    .map(({ day, activeUsers, newUsers }) => dayDelta(day, { activeUsers, newUsers }));

describe("countUsers", () => {
  it("events that are on time, stale, repeated or anonymous change the users of their day", async () => {
    const computations = new Computations(30 * 60_000);
    const countUsers = async (...events: ParsedEvent[]) => activeAndNew(await computations.countUsers(events));

    // The first event of a user: active and new that day. Further events of the day change nothing.
    assert.deepEqual(await countUsers(event("2026-01-30", "u"), event("2026-01-30", "u")), [
      change("2026-01-30", 1, 1),
    ]);
    assert.deepEqual(await countUsers(event("2026-01-30", "u")), []);
    // The user returns the next day: active, not new.
    assert.deepEqual(await countUsers(event("2026-01-31", "u")), [change("2026-01-31", 1, 0)]);
    // A stale event of years ago: the user is active that day, and new then and no longer in 2026.
    assert.deepEqual(await countUsers(stale("2020-02-29", "u")), [
      change("2020-02-29", 1, 1),
      change("2026-01-30", 0, -1),
    ]);
    // Events without any id count no person.
    assert.deepEqual(await countUsers(event("2026-01-31", null)), []);
  });

  it("a visitor is an anonymous person until an event of any time has the anonymous id and a user id", async () => {
    const computations = new Computations(30 * 60_000);
    const visit = (date: string, user_id: string | null): ParsedEvent =>
      parsedEvent({ event_time: at(date), user_id, anonymous_id: "a" });
    const anonymousUsers = async (...events: ParsedEvent[]) =>
      sumDeltas(await computations.countUsers(events))
        .filter((delta) => delta.activeUsers !== 0 || delta.anonymousUsers !== 0)
        .map((delta) => [delta.day - dayOf(at("2026-01-30")), delta.activeUsers, delta.newUsers, delta.anonymousUsers])
        .sort();
    assert.deepEqual(await anonymousUsers(visit("2026-01-30", null), visit("2026-02-01", null)), [
      [0, 1, 1, 1],
      [2, 1, 0, 1],
    ]);
    assert.deepEqual(await anonymousUsers(visit("2026-02-02", "u")), [
      [0, 0, 0, -1],
      [2, 0, 0, -1],
      [3, 1, 0, 0],
    ]);
    // Days of the id are days of the user from then on.
    assert.deepEqual(await anonymousUsers(visit("2026-01-29", null)), [[-1, 1, 1, 0]]);
    // A second user of the device has all its days.
    assert.deepEqual(await anonymousUsers(visit("2026-02-02", "v")), [
      [-1, 1, 1, 0],
      [0, 1, 0, 0],
      [2, 1, 0, 0],
      [3, 1, 0, 0],
    ]);
  });

  it("days with only events of bots count as days of bots, and with --count-bots like others", async () => {
    const crawl = (date: string, is_bot: boolean): ParsedEvent =>
      parsedEvent({ event_time: at(date), user_id: "u", is_bot });
    const numbers = async (countBots: boolean) => {
      const computations = new Computations(30 * 60_000, undefined, "state", undefined, countBots);
      const changes: number[][] = [];
      for (const isBot of [true, false, true]) {
        const deltas = await computations.countUsers([crawl("2026-01-30", isBot)]);
        changes.push(
          ...deltas.filter(({ day }) => day === dayOf(at("2026-01-30"))).map((d) => [d.activeUsers, d.botUsers]),
        );
      }
      return changes;
    };
    assert.deepEqual(await numbers(false), [
      [0, 1],
      [1, -1],
    ]);
    assert.deepEqual(await numbers(true), [
      [1, 1],
      [0, -1],
    ]);
  });
});
