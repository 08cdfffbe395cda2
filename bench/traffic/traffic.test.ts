import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createHash } from "node:crypto";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceRollups } from "@eventlogger/traffic/bruteForce";
import { messageData, syntheticEvents, type SyntheticEvent } from "@eventlogger/traffic/load/syntheticMessages";
import { expectedTotals, totalsText } from "./expectedTotals";
import { readMessageFile, writeMessageFile } from "./messageFile";
import { PROFILE_NAMES, trafficOf } from "./profiles";

const HOUR = 3_600_000;
const NOON = Date.UTC(2026, 0, 31, 12);

describe("traffic of the benchmarks", () => {
  for (const name of PROFILE_NAMES) {
    it(`the expected totals of the profile ${name} agree with brute force over all events`, () => {
      // Over midnight, so that there are two days.
      const traffic = trafficOf(name, 5000, 50, Date.UTC(2026, 0, 31) + 600_100);
      const events = [...syntheticEvents(traffic)];
      const { daily_stats, total_users } = bruteForceRollups(
        events.map((e): Pick<AnalyticsEvent, "event_id" | "session_id" | "user_id" | "event_time"> => ({
          event_id: String(e.index),
          session_id: e.sessionId,
          user_id: e.userId,
          event_time: e.eventTime,
        })),
      );
      const totals = expectedTotals(events);
      assert.deepEqual(
        totals.map((t) => [
          t.sessions,
          t.activeUsers,
          t.newUsers,
          Number((t.durationMs / 60_000 / t.sessions).toFixed(2)),
        ]),
        daily_stats.map((d) => [
          d.session_count,
          d.active_user_count,
          d.new_user_count,
          d.average_session_duration_min,
        ]),
      );
      assert.equal(
        totals.reduce((sum, t) => sum + t.newUsers, 0),
        total_users,
      );
    });
  }

  it("events of one session id that are the gap apart are two sessions", () => {
    const event = (eventTime: number): SyntheticEvent => ({ index: 0, userId: "u", sessionId: "s", eventTime });
    const times = [NOON, NOON + 1000, NOON + 1000 + HOUR / 2, NOON + 2000 + HOUR / 2];
    assert.equal(totalsText(expectedTotals(times.map(event))), "day 20484, 2 sessions, 2000 ms, 1 users, 1 new");
    assert.throws(() => expectedTotals([event(NOON), event(NOON - 1)]), /not sorted by time/);
  });

  it("sessions of the profile hours last for hours, and the profile one-session has one session", () => {
    const last = (name: (typeof PROFILE_NAMES)[number]) =>
      expectedTotals(syntheticEvents(trafficOf(name, 3000, 30, NOON))).at(-1);
    const hours = last("hours");
    assert((hours?.durationMs ?? 0) / (hours?.sessions ?? 0) > 3 * HOUR, JSON.stringify(hours));
    const one = last("one-session");
    assert.deepEqual([one?.sessions, one?.activeUsers, one?.durationMs], [1, 1, 29_990]);
  });

  describe("message files", () => {
    let directory: string;
    beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "messages-"))));
    afterEach(() => rmSync(directory, { recursive: true }));

    it("a message file contains the bytes and times of every message, and its hash depends on all of them", () => {
      const file = path.join(directory, "messages");
      const traffic = trafficOf("realistic", 5000, 50, NOON);
      const hash = writeMessageFile(file, traffic);
      assert.equal(hash, createHash("sha256").update(readFileSync(file)).digest("hex"));
      const events = [...syntheticEvents(traffic)];
      let n = 0;
      for (const { eventTime, data } of readMessageFile(file)) {
        const event = events[n++] as SyntheticEvent;
        assert.equal(eventTime, event.eventTime);
        assert(messageData(event).equals(data));
      }
      assert.equal(n, 5000);
      assert(readFileSync(file).length > 1 << 20, "more than one chunk");
      assert.notEqual(writeMessageFile(file, { ...traffic, startMs: traffic.startMs + 1 }), hash);
    });

    it("reading a message file that was cut off is an error", () => {
      const file = path.join(directory, "messages");
      writeMessageFile(file, trafficOf("new", 3, 0, NOON));
      appendFileSync(file, Buffer.alloc(5));
      assert.throws(() => [...readMessageFile(file)], /ends within a message/);
    });
  });
});
