import assert from "node:assert/strict";
import { decodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { KeySet } from "../access/keys/keySet";
import type { AppDeps } from "../http/app";
import { acceptingPublisher, appDeps, testSettings, useAppServer } from "../testing/appServer";
import { metricsOf } from "../testing/metrics";
import { errorsOf, post, postBatch, sampleEvent } from "../testing/requests";
import type { BatchAnswer } from "./postEvents";

const HOUR = 3_600_000;
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0";
const BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

describe("posted events", () => {
  const serveWith = useAppServer();

  async function serve(deps: Partial<AppDeps> = {}): Promise<{ url: string; messages: EventMessage[] }> {
    const messages: EventMessage[] = [];
    const keep = async (published: readonly EventMessage[]): Promise<void> => void messages.push(...published);
    const publisher = {
      ...acceptingPublisher,
      publish: (message: EventMessage) => keep([message]),
      publishAll: keep,
    };
    const { url } = await serveWith({ publisher, ...deps });
    return { url, messages };
  }
  function eventOf(message: EventMessage | undefined): AnalyticsEvent {
    const decoded = decodeMessage(message?.data ?? Buffer.of(), { messageId: "m", publishTime: Date.now() });
    return decoded.ok ? decoded.event : assert.fail(decoded.message);
  }

  it("the answer to one event has its id: the one that was sent, or the one that the server made", async () => {
    const { url, messages } = await serve();
    const sent: [unknown, string][] = [
      ["e-1", "e-1"],
      [42, "42"],
      ["50 %", "50%20%25"],
      ["späť 🚲", encodeURIComponent("späť 🚲")],
    ];
    for (const [event_id, header] of sent) {
      const answer = await post(url, sampleEvent({ event_id }));
      assert.deepEqual([answer.status, answer.headers.get("x-event-id")], [204, header]);
      assert.equal(decodeURIComponent(header), messages.at(-1)?.attributes.event_id);
    }
    const made = (await post(url, sampleEvent())).headers.get("x-event-id");
    assert.equal(made, messages.at(-1)?.attributes.event_id);
    assert.match(made ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    assert.equal((await post(url, {})).headers.get("x-event-id"), null);
  });

  it("unknown fields are published in the properties and counted, and a misspelled field is named in the answer", async () => {
    const { url, messages } = await serve();
    const fields = { userId: "u-2", "event\nname": 1, plan: { seats: 3 }, properties: { a: 1 } };
    const single = await post(url, sampleEvent(fields));
    assert.equal(single.status, 204);
    assert.equal(single.headers.get("x-event-warnings"), "userId misspelled, unknown_field misspelled");
    const { properties: sent, ...unknown } = fields;
    assert.deepEqual(eventOf(messages[0]).properties, { ...sent, _unknown_fields: unknown });
    const batch = await postBatch(url, [sampleEvent(), sampleEvent({ plan: 1 }), sampleEvent({ sesion_id: "s" })]);
    const { accepted, warnings } = (await batch.json()) as BatchAnswer;
    assert.equal(accepted, 3);
    const message = "is not a field of an event; is session_id meant?";
    assert.deepEqual(warnings, [{ index: 2, field: "sesion_id", code: "misspelled", message }]);
    const metrics = await metricsOf(url);
    assert.equal(metrics.get('ingest_events_with_unknown_fields_total{key=""}'), 3);
    assert.equal(metrics.get('ingest_event_warnings_total{field="unknown_field",warning="misspelled"}'), 3);
    assert.ok(![...metrics.keys()].some((series) => /userId|sesion/.test(series)));
  });

  it("with --unknown-fields refuse, an event with an unknown field is refused, and the answer names the field", async () => {
    const { url, messages } = await serve({ settings: testSettings({ unknownFields: "refuse" }) });
    const refused = await post(url, sampleEvent({ colour: "red" }));
    assert.equal(refused.status, 400);
    assert.deepEqual(await errorsOf(refused), [{ field: "colour", message: "is not a field of an event" }]);
    const { rejected } = (await (
      await postBatch(url, [sampleEvent(), sampleEvent({ plan: 1 })])
    ).json()) as BatchAnswer;
    assert.deepEqual([rejected.map(({ index }) => index), messages.length], [[1], 1]);
  });

  it("the times of a sender whose clock is wrong are corrected and counted, with sent_at of the event or of the batch", async () => {
    const { url, messages } = await serve();
    const now = Date.now();
    const time = now - 26 * HOUR;
    const single = await post(url, sampleEvent({ event_time: time, sent_at: now - 25 * HOUR }));
    assert.equal(single.headers.get("x-event-warnings"), "event_time corrected");
    const ahead = {
      events: [sampleEvent({ event_time: now + 30 * HOUR }), sampleEvent({ event_time: time, sent_at: now })],
    };
    const batch = await postBatch(url, { ...ahead, sent_at: (now + 31 * HOUR) / 1000 });
    const { accepted, warnings } = (await batch.json()) as BatchAnswer;
    assert.deepEqual([accepted, warnings?.map(({ index, code }) => [index, code])], [2, [[0, "corrected"]]]);
    const events = messages.map(eventOf);
    assert.deepEqual(
      events.map(({ event_time, original_event_time }) => [event_time, original_event_time]),
      [
        [now - HOUR, time],
        [now - HOUR, now + 30 * HOUR],
        [time, null],
      ],
    );
    const refused = await post(url, sampleEvent({ event_time: now, sent_at: now - 30 * HOUR }));
    assert.equal(refused.status, 400);
    const metrics = await metricsOf(url);
    assert.equal(metrics.get('ingest_event_times_total{outcome="corrected"}'), 2);
    assert.equal(metrics.get('ingest_event_times_total{outcome="refused"}'), 1);
  });

  it("an event gets its app from the write key and its browser from the user agent, and has neither address nor user agent", async () => {
    const writeKeys = new KeySet([{ name: "shop", key: "the-key" }]);
    const { url, messages } = await serve({ access: { ...appDeps().access, writeKeys } });
    const headers = { "x-write-key": "the-key", "user-agent": FIREFOX };
    const referrer = "https://Search.example/?q=secret";
    await post(url, sampleEvent({ anonymous_id: "a-1", referrer }), headers);
    await postBatch(url, [sampleEvent({ app: "kiosk", platform: "tv" })], headers);
    await post(url, sampleEvent(), { ...headers, "user-agent": BOT });
    await post(url, sampleEvent(), { "x-write-key": "the-key" });
    const none = { anonymous_id: null, referrer: null };
    const known = { app: "shop", platform: "web", browser: "Firefox", os: "Windows", is_bot: false };
    const origins = messages.map((message) => {
      const { app, platform, browser, os, is_bot, anonymous_id, referrer } = eventOf(message);
      return { app, platform, browser, os, is_bot, anonymous_id, referrer };
    });
    assert.deepEqual(origins, [
      { ...known, anonymous_id: "a-1", referrer: "search.example" },
      { ...known, ...none, app: "kiosk", platform: "tv" },
      { ...known, ...none, browser: null, os: null, is_bot: true },
      // The user agent of Node's fetch.
      { ...known, ...none, platform: "server", browser: null, os: null },
    ]);
    for (const { data } of messages) assert.doesNotMatch(data.toString(), /Mozilla|127\.0\.0\.1|secret/);
  });
});
