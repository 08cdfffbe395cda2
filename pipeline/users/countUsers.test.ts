import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { dayDelta, type DayDelta } from "@eventlogger/events/totals/totals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { Computations } from "../testing/computations";
import { parsedEvent } from "../testing/parsedEvents";

const at = (iso: string): number => Date.parse(`${iso}T12:00:00Z`);
const event = (date: string, user_id: string | null): ParsedEvent => parsedEvent({ event_time: at(date), user_id });
const stale = (date: string, user_id: string): ParsedEvent => ({ ...event(date, user_id), isStale: true });
const change = (date: string, activeUsers: number, newUsers: number): DayDelta =>
  dayDelta(dayOf(at(date)), { activeUsers, newUsers });

describe("countUsers", () => {
  it("events that are on time, stale, repeated or anonymous change the users of their day", async () => {
    const computations = new Computations(30 * 60_000);
    const countUsers = (...events: ParsedEvent[]) => computations.countUsers(events);

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
    // Anonymous events are not counted.
    assert.deepEqual(await countUsers(event("2026-01-31", null)), []);
  });
});
