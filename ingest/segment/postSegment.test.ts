import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { decodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { SEGMENT_NAMES } from "@eventlogger/options/segmentPath";
import { RequestError } from "../http/errors";
import { acceptingPublisher, appDeps, testSettings, useAppServer } from "../testing/appServer";
import { metricsOf } from "../testing/metrics";
import { errorsOf } from "../testing/requests";

const TIME = "2024-05-17T08:30:00.250Z";

function eventOf({ data }: EventMessage): AnalyticsEvent {
  const decoded = decodeMessage(data, { messageId: "", publishTime: Date.now() });
  assert.ok(decoded.ok);
  return decoded.event;
}

/** A publisher that keeps the events. */
function keepingPublisher(): { readonly events: AnalyticsEvent[]; readonly publisher: typeof acceptingPublisher } {
  const events: AnalyticsEvent[] = [];
  const publishAll = async (messages: readonly EventMessage[]): Promise<void> =>
    void events.push(...messages.map(eventOf));
  return { events, publisher: { ...acceptingPublisher, publishAll } };
}

function send(
  url: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

describe("the endpoints for Segment's libraries", () => {
  const serve = useAppServer();

  it("every name of an endpoint publishes its call, as JSON, as text and compressed, with the answer of Segment", async () => {
    const { events, publisher } = keepingPublisher();
    const { url } = await serve({ publisher });
    const call = { messageId: "m", anonymousId: "a", userId: "u", previousId: "p", event: "order", timestamp: TIME };
    const expected: string[] = [];
    for (const [endpoint, names] of Object.entries(SEGMENT_NAMES)) {
      for (const name of names) {
        const body = JSON.stringify(endpoint === "batch" ? { batch: [{ type: "track", ...call }] } : call);
        for (const path of [`/v1/${name}`, `/v1/${name}/`]) {
          const answers = await Promise.all([
            send(url, path, body),
            send(url, path, body, { "content-type": "text/plain" }),
            send(url, path, gzipSync(body), { "content-encoding": "gzip" }),
          ]);
          for (const answer of answers)
            assert.deepEqual([answer.status, await answer.json()], [200, { success: true }]);
          expected.push(...Array<string>(3).fill(endpoint === "batch" || endpoint === "track" ? "order" : endpoint));
        }
      }
    }
    assert.deepEqual(
      events.map(({ event_name }) => event_name),
      expected,
    );
    for (const { event_id, event_time, user_id, anonymous_id, event_name } of events) {
      assert.deepEqual([event_id, event_time, user_id], ["m", Date.parse(TIME), "u"]);
      assert.equal(anonymous_id, event_name === "alias" ? "p" : "a");
    }
  });

  it("the path in front of the endpoints can be chosen, and the default one then does not exist", async () => {
    const { url } = await serve({ settings: testSettings({ segmentPath: "/collect" }) });
    const call = { userId: "u", event: "order" };
    assert.equal((await send(url, "/collect/t", call)).status, 200);
    assert.equal((await send(url, "/v1/t", call)).status, 404);
    assert.equal(
      (await metricsOf(url)).get('ingest_http_requests_total{method="POST",route="/v1/track",code="200"}'),
      1,
    );
  });

  it("a call that is not valid is answered with 400 and the names of its own fields", async () => {
    const { url } = await serve();
    for (const [path, body, field, message] of [
      ["/v1/track", { userId: "u" }, "event", /is required/],
      ["/v1/track", { event: "a" }, "userId", /^or anonymousId is required$/],
      ["/v1/page", { userId: "u", timestamp: "soon" }, "timestamp", /ISO 8601/],
      ["/v1/page", { userId: "u", messageId: "m".repeat(129) }, "messageId", /128/],
      ["/v1/identify", { userId: ["u"], anonymousId: "a" }, "userId", /must be/],
      ["/v1/identify", { userId: "u", traits: "text" }, "properties", /must be a JSON object/],
      ["/v1/identify", [], "", /must be a JSON object/],
      ["/v1/batch", { batch: {} }, "batch", /must be an array/],
      ["/v1/batch", { batch: [{ type: "none" }] }, "batch[0].type", /must be one of track, page/],
      ["/v1/batch", { batch: [7, {}] }, "batch[0]", /must be a JSON object/],
    ] as const) {
      const answer = await send(url, path, body);
      const [error] = await errorsOf(answer);
      assert.deepEqual([answer.status, error?.field], [400, field], JSON.stringify(body));
      assert.match(error?.message ?? "", message);
    }
  });

  it("a batch with valid and invalid calls is accepted, and the answer and the metrics tell what was rejected and why", async () => {
    const { events, publisher } = keepingPublisher();
    const { url } = await serve({ publisher });
    const answer = await send(url, "/v1/batch", {
      sentAt: new Date().toISOString(),
      batch: [
        { type: "track", event: "order", userId: "u", timestamp: TIME },
        { type: "track", userId: "u" },
        { action: "identify", userId: "Undefined", anonymousId: "a" },
      ],
    });
    assert.deepEqual(await answer.json(), {
      success: true,
      rejected: [{ index: 1, errors: [{ field: "event", message: "is required" }] }],
      warnings: [
        {
          index: 2,
          field: "userId",
          code: "placeholder",
          message: 'must identify a user; the placeholder "Undefined" was read as null',
        },
      ],
    });
    assert.deepEqual(
      events.map(({ event_name, user_id, anonymous_id }) => [event_name, user_id, anonymous_id]),
      [
        ["order", "u", null],
        ["identify", null, "a"],
      ],
    );
    const metrics = await metricsOf(url);
    assert.equal(metrics.get('ingest_segment_calls_total{call="track"}'), 1);
    assert.equal(metrics.get('ingest_segment_calls_total{call="identify"}'), 1);
    assert.equal(metrics.get('ingest_events_accepted_total{key=""}'), 2);
    assert.equal(metrics.get('ingest_events_rejected_total{reason="event_name"}'), 1);
    assert.equal(metrics.get("ingest_batch_events_sum"), 3);
  });

  it("a call that was not published is answered with 503 and Retry-After, so that libraries send it again", async () => {
    const publishAll = (): Promise<never> => Promise.reject(new RequestError("PUBSUB_TIMEOUT"));
    const { url } = await serve({ publisher: { ...acceptingPublisher, publishAll } });
    const answer = await send(url, "/v1/t", { userId: "u", event: "order" });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    assert.equal((await metricsOf(url)).get('ingest_segment_calls_total{call="track"}'), undefined);
  });

  it("the calls of a batch are charged to the rate limit of its address", async () => {
    const access = { ...appDeps().access, addressRate: { perSec: 0.001, burst: 3 } };
    const { url } = await serve({ access });
    const batch = { batch: Array<unknown>(3).fill({ type: "identify", userId: "u" }) };
    assert.equal((await send(url, "/v1/batch", batch)).status, 200);
    const refused = await send(url, "/v1/i", { userId: "u" });
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
  });

  it("calls without a messageId get one from the body, so that the same request sent twice is the same events", async () => {
    const { events, publisher } = keepingPublisher();
    const { url } = await serve({ publisher });
    const batch = {
      batch: [
        { type: "identify", userId: "u" },
        { type: "identify", userId: "u" },
      ],
    };
    for (let i = 0; i < 2; i++) assert.equal((await send(url, "/v1/batch", batch)).status, 200);
    assert.equal(events.length, 4);
    assert.equal(new Set(events.map(({ event_id }) => event_id)).size, 2);
  });

  it("a preflight of a page on another origin may use the headers of the browser library", async () => {
    const { url } = await serve({ settings: testSettings({ corsOrigins: ["https://shop.example"] }) });
    const answer = await fetch(`${url}/v1/t`, {
      method: "OPTIONS",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-retry-count",
      },
    });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://shop.example");
    const allowed = answer.headers.get("access-control-allow-headers") ?? "";
    for (const name of ["authorization", "content-type", "x-retry-count"]) assert.ok(allowed.includes(name), name);
  });

  it("any JSON in any field of a call is answered with 200 or 400, and never fails", async () => {
    const settings = testSettings({ bodyLimit: 65_536, batchBodyLimit: 65_536 });
    const { url } = await serve({ settings });
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("u-1", "\ud800", "x\u0000", 1e400, 9007199254740993n.toString()),
    );
    const nested = fc.dictionary(
      fc.constantFrom("page", "app", "library", "os", "device", "location", "url", "name", "__proto__"),
      value,
    );
    const field = fc.oneof(value, nested);
    const call = fc.dictionary(
      fc.constantFrom(
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "previousId",
        "event",
        "timestamp",
        "sentAt",
        "context",
        "properties",
        "traits",
        "name",
        "groupId",
        "__proto__",
      ),
      field,
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("t", "p", "s", "i", "a", "g"), call, async (name, body) => {
        for (const [path, sent] of [
          [`/v1/${name}`, body],
          ["/v1/b", { batch: [{ type: "track", ...body }], context: body.context, sentAt: body.sentAt }],
        ] as const) {
          assert.ok([200, 400].includes((await send(url, path, sent)).status));
        }
      }),
      { numRuns: 100 },
    );
  });
});
