import assert from "node:assert/strict";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import { messageData, syntheticEvents, type SyntheticTraffic } from "./syntheticMessages";

const TRAFFIC: SyntheticTraffic = {
  count: 5000,
  activeUsers: 100,
  eventsPerSession: 8,
  startMs: Date.UTC(2026, 0, 31),
  stepMs: 0.25,
};

describe("syntheticMessages", () => {
  it("synthetic messages are valid events with the user, session and time of the traffic", () => {
    const sessions = new Set<string>();
    for (const event of syntheticEvents(TRAFFIC)) {
      const meta = { messageId: "m", publishTime: event.eventTime + 20 };
      const decoded = decodeMessage(messageData(event), meta);
      if (!decoded.ok) assert.fail(decoded.message);
      const { user_id, session_id, event_time, event_id } = decoded.event;
      assert.deepEqual(
        [user_id, session_id, event_time, event_id],
        [event.userId, event.sessionId, event.eventTime, `event-${event.index}`],
      );
      sessions.add(event.sessionId);
    }
    const perSession = TRAFFIC.count / sessions.size;
    assert.ok(perSession > 6 && perSession < 10, `${perSession} events per session`);
  });

  it("synthetic events without active users each have a new user and session", () => {
    const events = [...syntheticEvents({ ...TRAFFIC, count: 1000, activeUsers: 0 })];
    assert.equal(new Set(events.map((event) => event.userId)).size, 1000);
    assert.equal(new Set(events.map((event) => event.sessionId)).size, 1000);
  });
});
