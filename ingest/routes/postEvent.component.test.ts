import assert from "node:assert/strict";
import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import { useIngest, type TestReplica, type TestTopic } from "../testing/fixture";
import { errorsOf, post, sampleEvent, sendRaw } from "../testing/requests";

describe("POST /event/ with Pub/Sub", () => {
  const ingest = useIngest();
  let topic: TestTopic;
  let replica: TestReplica;

  before(async () => {
    topic = await ingest.freshTopic();
    replica = await ingest.startReplica({ TOPIC: topic.name });
  });

  it("POST /event/ answers 204 without a body once the event is in the topic with its attributes", async () => {
    const fields = {
      event_id: "full",
      page: "/a?b=c",
      country: "NL",
      region: null,
      city: "Den Haag ü 🚲",
      properties: { price: 12.5, tags: ["x", null], nested: { deep: true } },
    };
    const before = Date.now();
    const response = await post(replica.url, sampleEvent(fields));
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
    const message = await topic.message("full");
    assert.deepEqual(message.attributes, { event_id: "full", event_time: "1700000000123" });
    const decoded = decodeMessage(message.data, { messageId: message.id, publishTime: Date.now() });
    assert.ok(decoded.ok);
    const { received_at, ...event } = decoded.event;
    // The user agent is that of Node's fetch.
    const expected = { ...ABSENT_FIELDS, ...sampleEvent(fields), event_time: 1_700_000_000_123, platform: "server" };
    assert.deepEqual(event, expected);
    assert.equal(response.headers.get("x-event-id"), "full");
    assert.ok(received_at >= before && received_at <= Date.now());
  });

  it("POST /event accepts the path without the slash, and event times as seconds and as text", async () => {
    const times: [string, unknown, string][] = [
      ["seconds", 1_700_000_000.5, "1700000000500"],
      ["iso", "2020-02-29T23:59:59.999Z", "1583020799999"],
      ["offset", "2020-03-01T00:59:59.999+01:00", "1583020799999"],
    ];
    for (const [event_id, event_time, expected] of times) {
      const response = await fetch(`${replica.url}/event`, {
        method: "POST",
        headers: { "content-type": "application/json; charset=UTF-8" },
        body: JSON.stringify(sampleEvent({ event_id, event_time })),
      });
      assert.equal(response.status, 204);
      assert.equal((await topic.message(event_id)).attributes.event_time, expected);
    }
  });

  it("POST /event/ adds an event_id to an event without one", async () => {
    const known = new Set(topic.messages.keys());
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
    await topic.topic.publishMessage({ data: Buffer.from("{}"), attributes: { event_id: "after" } });
    await topic.message("after");
    const made = [...topic.messages.keys()].filter((id) => id !== "after" && !known.has(id));
    assert.equal(made.length, 1);
    assert.match(made[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("POST /event/ delivers all of 500 concurrent events", async () => {
    const ids = Array.from({ length: 500 }, (_, i) => `many-${i}`);
    const statuses = await Promise.all(
      ids.map(async (event_id) => (await post(replica.url, sampleEvent({ event_id }))).status),
    );
    assert.deepEqual([...new Set(statuses)], [204]);
    for (const id of ids) await topic.message(id);
  });

  describe("invalid events", () => {
    const bad: [string, Record<string, unknown>, string[]][] = [
      ["missing fields", { type: undefined, session_id: undefined }, ["session_id", "type"]],
      ["another type", { type: "page" }, ["type"]],
      ["an empty session", { session_id: "" }, ["session_id"]],
      ["a too long session", { session_id: "x".repeat(129) }, ["session_id"]],
      ["a number for a name", { event_name: 7 }, ["event_name"]],
      ["an invalid time", { event_time: "soon" }, ["event_time"]],
      ["a time far in the future", { event_time: Date.now() + 25 * 3_600_000 }, ["event_time"]],
      ["a user that is not a string", { user_id: { id: 1 } }, ["user_id"]],
      ["a page that is not a string", { page: ["/"] }, ["page"]],
      ["properties that are not an object", { properties: [1] }, ["properties"]],
      ["properties over 16 KiB", { properties: { x: "y".repeat(16 * 1024) } }, ["properties"]],
      ["an anonymous id that is not a string", { anonymous_id: ["a"] }, ["anonymous_id"]],
      ["a too long anonymous id", { anonymous_id: "x".repeat(257) }, ["anonymous_id"]],
      ["an invalid time of sending", { sent_at: "soon" }, ["sent_at"]],
      ["a referrer that is not a string", { referrer: {} }, ["referrer"]],
    ];
    for (const [what, fields, expected] of bad) {
      it(`POST /event/ refuses ${what} and names the field`, async () => {
        const response = await post(replica.url, sampleEvent({ event_id: "refused", ...fields }));
        assert.equal(response.status, 400);
        const errors = await errorsOf(response);
        assert.deepEqual(errors.map((e) => e.field).sort(), expected);
        for (const error of errors) assert.ok(error.message.length > 5);
      });
    }

    it("POST /event/ publishes no invalid event", async () => {
      await topic.topic.publishMessage({ data: Buffer.from("{}"), attributes: { event_id: "after refusals" } });
      await topic.message("after refusals");
      assert.equal(topic.messages.has("refused"), false);
    });
  });

  const notEvents: [string, string | Uint8Array][] = [
    ["nothing", ""],
    ["half an object", '{"type":"event"'],
    ["text that is no JSON", "type=event"],
    ["a byte order mark", "\ufeff{}"],
    ["an array", "[]"],
    ["null", "null"],
    ["a number", "1e999"],
    ["text that is no UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ["a lone continuation byte", Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0x80]), Buffer.from('"}')])],
    ["a prototype", '{"__proto__":{"type":"event"},"constructor":1}'],
    ["100,000 bytes of garbage", Buffer.alloc(60_000, 0xaa)],
    ["arrays 30,000 deep", "[".repeat(30_000) + "]".repeat(30_000)],
    ["objects 8,000 deep", '{"a":'.repeat(8_000) + "1" + "}".repeat(8_000)],
  ];
  for (const [what, body] of notEvents) {
    it(`POST /event/ refuses ${what} as a body, and the replica keeps working`, async () => {
      const response = await post(replica.url, body);
      assert.equal(response.status, 400);
      const errors = await errorsOf(response);
      assert.ok(errors.length >= 1);
      assert.ok(JSON.stringify(errors).length < 4000);
      assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
    });
  }

  it("POST /event/ never fails on deeply nested properties", async () => {
    for (const depth of [10, 100, 1000, 2700, 8000]) {
      const properties = '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
      const body = JSON.stringify(sampleEvent({ event_id: `deep-${depth}` })).replace(
        /}$/,
        `,"properties":${properties}}`,
      );
      const { status } = await post(replica.url, body);
      assert.ok(status === 204 || status === 400, `depth ${depth}: ${status}`);
      if (status === 204) await topic.message(`deep-${depth}`);
    }
  });

  it("POST /event/ keeps __proto__ in properties as plain data", async () => {
    const body = JSON.stringify(sampleEvent({ event_id: "proto" })).replace(
      /}$/,
      ',"properties":{"__proto__":{"x":1}}}',
    );
    const { status } = await post(replica.url, body);
    assert.equal(status, 204);
    const message = await topic.message("proto");
    const { properties } = JSON.parse(message.data.toString()) as { properties: string };
    assert.equal(properties, '{"__proto__":{"x":1}}');
  });

  it("POST /event/ answers 415 to another content type, charset or encoding", async () => {
    const headers: Record<string, string>[] = [
      { "content-type": "text/html" },
      { "content-type": "text/plain; charset=utf-16" },
      { "content-type": "application/x-ndjson" },
      { "content-type": "application/jsonp" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json; charset=latin1" },
      { "content-encoding": "deflate" },
      { "content-encoding": "gzip, gzip" },
      { "content-encoding": "constructor" },
    ];
    for (const header of headers) {
      const response = await post(replica.url, sampleEvent(), header);
      assert.deepEqual([header, response.status], [header, 415]);
      assert.equal((await errorsOf(response)).length, 1);
    }
    const untyped = await sendRaw(
      replica.port,
      "POST /event/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    );
    assert.match(untyped, /^HTTP\/1\.1 415 /);
  });

  it("POST /event/ accepts a beacon as plain text with a query", async () => {
    const response = await fetch(`${replica.url}/event/?key=k`, {
      method: "POST",
      headers: { "content-type": "text/plain;charset=UTF-8" },
      body: JSON.stringify(sampleEvent({ event_id: "beacon" })),
    });
    assert.equal(response.status, 204);
    await topic.message("beacon");
  });

  it("POST /event/ answers 413 to a body over 64 KiB", async () => {
    const response = await post(replica.url, sampleEvent({ page: "x".repeat(65_536) }));
    assert.equal(response.status, 413);
    assert.match((await errorsOf(response))[0]?.message ?? "", /65536 bytes/);
  });

  it("a replica with a reachable topic is ready", async () => {
    assert.equal((await fetch(`${replica.url}/readyz`)).status, 200);
  });

  it("a replica logs no bodies and no addresses of POST /event/", () => {
    const lines = replica.process.logTail(1000).split("\n");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
      ["listening"],
    );
    const { project, pubsub, bigquery } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    const emulator = `emulator at ${ingest.emulator.host}`;
    assert.deepEqual({ project, pubsub, bigquery }, { project: "demo-project", pubsub: emulator, bigquery: "Google" });
  });
});
