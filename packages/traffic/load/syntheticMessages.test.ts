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

  it("a third of the synthetic messages has an anonymous id when the traffic has them, and some of these have no user id", () => {
    const events = [...syntheticEvents({ ...TRAFFIC, hasAnonymousIds: true })];
    const ids = events.map((event) => {
      const decoded = decodeMessage(messageData(event), { messageId: "m", publishTime: event.eventTime + 20 });
      if (!decoded.ok) assert.fail(decoded.message);
      const { user_id, anonymous_id } = decoded.event;
      assert.ok(user_id === event.userId || (user_id === null && anonymous_id !== null));
      assert.equal(anonymous_id, event.anonymous?.id ?? null);
      return { user_id, anonymous_id };
    });
    const share = ids.filter(({ anonymous_id }) => anonymous_id !== null).length / ids.length;
    assert.ok(share > 0.3 && share < 0.37, `${share} of the events`);
    const withoutUser = ids.filter(({ user_id }) => user_id === null).length / ids.length;
    assert.ok(withoutUser > 0.06 && withoutUser < 0.1, `${withoutUser} of the events`);
  });

  it("synthetic events without active users each have a new user and session", () => {
    const events = [...syntheticEvents({ ...TRAFFIC, count: 1000, activeUsers: 0 })];
    assert.equal(new Set(events.map((event) => event.userId)).size, 1000);
    assert.equal(new Set(events.map((event) => event.sessionId)).size, 1000);
  });
});
