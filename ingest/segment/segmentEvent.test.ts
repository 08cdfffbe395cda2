import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { SegmentCall } from "@eventlogger/options/segmentPath";
import { segmentEvent, type SegmentMessage } from "./segmentEvent";

const RECEIVED_AT = 1_700_000_001_000;

/** The fields of the event of a call that are not undefined. */
function inputOf(call: SegmentCall, message: SegmentMessage, batch: SegmentMessage = message): Record<string, unknown> {
  const { input } = segmentEvent(call, message, batch, RECEIVED_AT);
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}

describe("segmentEvent", () => {
  it("a track call keeps its ids, times, name and properties, and its context becomes columns", () => {
    const message = {
      messageId: "m-1",
      anonymousId: "a-1",
      userId: "u-1",
      event: "order",
      timestamp: "2024-05-17T08:30:00.250Z",
      sentAt: "2024-05-17T08:30:01Z",
      properties: { plan: "pro" },
      context: {
        app: { name: "shop" },
        page: { path: "/cart", url: "https://shop.example/cart?token=1", referrer: "https://search.example/?q=secret" },
        userAgent: "Mozilla/5.0",
        library: { name: "analytics.js" },
        location: { country: "NL", region: "Zuid-Holland", city: "Den Haag" },
        ip: "192.0.2.1",
        locale: "nl-NL",
        campaign: { source: "mail" },
      },
      integrations: { All: true },
    };
    assert.deepEqual(inputOf("track", message), {
      type: "event",
      event_id: "m-1",
      session_id: "a-1",
      event_name: "order",
      event_time: "2024-05-17T08:30:00.250Z",
      sent_at: "2024-05-17T08:30:01Z",
      user_id: "u-1",
      anonymous_id: "a-1",
      page: "/cart",
      country: "NL",
      region: "Zuid-Holland",
      city: "Den Haag",
      app: "shop",
      platform: "web",
      referrer: "https://search.example/?q=secret",
      properties: { plan: "pro", campaign: { source: "mail" } },
    });
    assert.equal(segmentEvent("track", message, message, RECEIVED_AT).userAgent, "Mozilla/5.0");
  });

  it("the names of pages and screens, traits and groups become properties, and no property is replaced", () => {
    const ids = { userId: "u-1" };
    const contentOf = (call: SegmentCall, message: object): unknown[] => {
      const { event_name, properties } = inputOf(call, { ...ids, ...message });
      return [event_name, properties];
    };
    assert.deepEqual(contentOf("page", { name: "cart", category: "shop", properties: { name: "own" } }), [
      "page",
      { name: "own", category: "shop" },
    ]);
    assert.deepEqual(contentOf("screen", { name: "cart" }), ["screen", { name: "cart" }]);
    assert.deepEqual(contentOf("identify", { traits: { plan: "pro" } }), ["identify", { plan: "pro" }]);
    assert.deepEqual(contentOf("group", { groupId: "g-1", traits: { size: 3 } }), [
      "group",
      { size: 3, groupId: "g-1" },
    ]);
    assert.deepEqual(contentOf("track", { event: "a" }), ["a", undefined]);
    assert.deepEqual(contentOf("page", { properties: "text" }), ["page", "text"]);
    assert.deepEqual(contentOf("alias", { previousId: "a-1" }), ["alias", undefined]);
  });

  it("an alias links the previous id to the user", () => {
    const { anonymous_id, user_id, session_id } = inputOf("alias", {
      previousId: "old",
      userId: "u-1",
      anonymousId: "a-1",
    });
    assert.deepEqual([anonymous_id, user_id, session_id], ["old", "u-1", "old"]);
  });

  it("the session is the session id of properties or context, else the anonymous id, else the user; long ones are hashed", () => {
    const long = "a".repeat(129);
    for (const [session, message] of [
      ["s-1", { properties: { sessionId: "s-1" }, context: { sessionId: "s-2" }, anonymousId: "a" }],
      ["s-1", { properties: { session_id: "s-1" }, anonymousId: "a" }],
      ["1700000000000", { context: { sessionId: 1_700_000_000_000 }, anonymousId: "a" }],
      ["a", { properties: { sessionId: -1 }, anonymousId: "a", userId: "u" }],
      ["u", { anonymousId: "undefined", userId: "u" }],
      ["u", { anonymousId: { $gt: "" }, userId: "u" }],
      [undefined, { anonymousId: null }],
      ["a".repeat(128), { anonymousId: "a".repeat(128) }],
      [createHash("sha256").update(long).digest("hex"), { userId: long }],
    ] as const) {
      assert.equal(inputOf("track", message).session_id, session, JSON.stringify(message));
    }
  });

  it("a call without a timestamp happened when it was received, whatever the clock of its sender is", () => {
    const { event_time, sent_at } = inputOf("identify", { userId: "u", sentAt: "2001-01-01T00:00:00Z" });
    assert.deepEqual([event_time, sent_at], [RECEIVED_AT, undefined]);
    assert.equal(inputOf("identify", { userId: "u", originalTimestamp: "2024-05-17" }).event_time, "2024-05-17");
  });

  it("the time of sending is that of the call or of its batch, and a broken one is ignored", () => {
    const sentAt = (message: object, batch: object): unknown => {
      const call = { userId: "u", timestamp: "2024-05-17T08:30:00Z", ...message };
      return inputOf("track", call, { ...batch }).sent_at;
    };
    assert.equal(sentAt({}, { sentAt: "2024-05-17T08:31:00Z" }), "2024-05-17T08:31:00Z");
    assert.equal(sentAt({ sentAt: 1_715_934_661 }, { sentAt: "2024-05-17" }), 1_715_934_661);
    for (const broken of ["soon", "0001-01-01T00:00:00Z", {}, true, ""]) {
      assert.equal(sentAt({}, { sentAt: broken }), undefined, JSON.stringify(broken));
    }
  });

  it("the time of sending of analytics-java is ignored, because a batch that is sent again keeps its first one", () => {
    const call = { userId: "u", timestamp: "2024-05-17T08:30:00Z", context: { library: { name: "analytics-java" } } };
    assert.equal(inputOf("track", call, { sentAt: "2024-05-17T08:31:00Z" }).sent_at, undefined);
  });

  it("the page is a path or an address without its query, of at most 1,024 characters, and a screen has none", () => {
    const page = (call: SegmentCall, fields: object): unknown => inputOf(call, { userId: "u", ...fields }).page;
    assert.equal(page("track", { context: { page: { url: "https://a.example/b?c#d" } } }), "https://a.example/b");
    assert.equal(page("page", { properties: { path: "/x#top" } }), "/x");
    assert.equal(page("track", { properties: { path: "/x" } }), undefined);
    assert.equal(page("page", { context: { page: { path: `/${"x".repeat(2000)}` } } }), `/${"x".repeat(1023)}`);
    assert.equal(page("page", { context: { page: "text" }, properties: { path: 1 } }), undefined);
    assert.equal(page("screen", { name: "cart" }), undefined);
  });

  it("a call uses the context of its batch where its own has no such field", () => {
    const batch = { context: { app: { name: "shop" }, library: { name: "analytics-java" } } };
    const call = { userId: "u", context: { app: { name: "own" } } };
    const { app, platform } = inputOf("track", call, batch);
    assert.deepEqual([app, platform], ["own", "server"]);
  });
});
