import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import { dayDelta, type DayDelta } from "@eventlogger/events/totals/totals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { Computations } from "../testing/computations";
import { parsedEvent } from "../testing/parsedEvents";

const MINUTE = 60_000;
const at = (iso: string): number => Date.parse(`${iso}Z`);
const fresh = (iso: string): ParsedEvent => parsedEvent({ session_id: "s", event_time: at(iso) });
const stale = (iso: string): ParsedEvent => parsedEvent({ session_id: "s", event_time: at(iso) }, true);
const change = (iso: string, sessions: number, durationMs: number): DayDelta =>
  dayDelta(dayOf(at(iso)), { sessions, durationMs });

describe("countSessions", () => {
  for (const windows of ["beam", "state"] as const) {
    it(`with --session-windows ${windows}, events that are on time, in an early pane, stale or repeated change the sessions of their day`, async () => {
      const computations = new Computations(30 * MINUTE, undefined, windows);
      const countSessions = (...events: ParsedEvent[]) => computations.countSessions(events);

      // The first pane: one session of 10 minutes.
      const day = "2026-01-31T00:00";
      assert.deepEqual(await countSessions(fresh("2026-01-31T10:00"), fresh("2026-01-31T10:10")), [
        change(day, 1, 10 * MINUTE),
      ]);
      // The next early pane of the same session: it is 5 minutes longer.
      assert.deepEqual(await countSessions(fresh("2026-01-31T10:15")), [change(day, 0, 5 * MINUTE)]);
      // Exactly the gap later: another session.
      assert.deepEqual(await countSessions(fresh("2026-01-31T10:45")), [change(day, 1, 0)]);
      // A stale event bypasses the windows. It lies between both sessions and joins them.
      assert.deepEqual(await countSessions(stale("2026-01-31T10:30")), [change(day, -1, 30 * MINUTE)]);
      // A stale event of years ago counts on its own day.
      assert.deepEqual(await countSessions(stale("2020-02-29T12:00")), [change("2020-02-29T00:00", 1, 0)]);
      // Repeated events change nothing, stale or not.
      assert.deepEqual(await countSessions(fresh("2026-01-31T10:15"), stale("2026-01-31T10:15")), []);
    });
  }

  it("a session across midnight counts on both days", async () => {
    const computations = new Computations(30 * MINUTE);
    const events = [fresh("2026-01-30T23:59"), fresh("2026-01-31T00:00"), fresh("2026-01-31T00:02")];
    const changes = await computations.countSessions(events);
    assert.deepEqual(
      changes.sort((a, b) => a.day - b.day),
      [change("2026-01-30T00:00", 1, 0), change("2026-01-31T00:00", 1, 2 * MINUTE)],
    );
  });
});
