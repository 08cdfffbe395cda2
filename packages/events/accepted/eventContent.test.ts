import assert from "node:assert/strict";
import fc from "fast-check";
import { ABSENT_FIELDS } from "../absentFields";
import type { AnalyticsEvent } from "../event";
import { eventIdHash } from "./acceptedIds";
import { contentHash, RecentEvents } from "./eventContent";

const EVENT: AnalyticsEvent = {
  ...ABSENT_FIELDS,
  ...{ type: "event", event_id: "e", session_id: "s", event_name: "view", event_time: 1_769_860_800_123 },
  ...{ user_id: "u", page: "/p", country: "PT", region: null, city: null, properties: { a: 1 } },
  received_at: 1_769_860_800_500,
};
const hashOf = (event: AnalyticsEvent): number => contentHash(event, JSON.stringify(event.properties));

describe("eventContent", () => {
  it("the content of an event changes with each of its fields but event_id, received_at and those that ingest takes from the request", () => {
    const changes: Partial<AnalyticsEvent>[] = [
      { session_id: "t" },
      { event_name: "click" },
      { event_time: EVENT.event_time + 1 },
      { event_time: EVENT.event_time + 2 ** 16 },
      { user_id: null },
      { user_id: "" },
      { user_id: null, anonymous_id: "u" },
      { anonymous_id: "a" },
      { referrer: "a" },
      { page: "/q" },
      { country: null },
      { region: "PT" },
      { country: null, region: "PT" },
      { city: "" },
      { properties: { a: 2 } },
      { properties: null },
    ];
    const hashes = changes.map((change) => hashOf({ ...EVENT, ...change }));
    assert.equal(new Set([...hashes, hashOf(EVENT)]).size, changes.length + 1);
    const requested = { app: "a", platform: "web", browser: "b", os: "o", is_bot: true };
    assert.equal(hashOf({ ...EVENT, event_id: "f", received_at: 1, ...requested }), hashOf(EVENT));
  });

  it("an event that is sent again is no conflict, and one with another content is, however often", () => {
    const recent = new RecentEvents();
    const id = eventIdHash("e");
    assert.deepEqual(
      [1, 1, 2, 1, 2].map((content) => recent.isConflict(id, content)),
      [false, false, true, false, true],
    );
    assert.equal(recent.isConflict(eventIdHash("f"), 2), false);
  });

  it("a full memory forgets events and never reports a conflict where there is no conflict", () => {
    const content = (id: number): number => (id * 7919) % 1000;
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { maxLength: 500 }), (ids) => {
        const recent = new RecentEvents(64);
        assert(!ids.some((id) => recent.isConflict(id, content(id))));
      }),
    );
  });
});
