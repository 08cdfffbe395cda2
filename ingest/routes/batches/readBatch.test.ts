import assert from "node:assert/strict";
import fc from "fast-check";
import type { BatchEvents } from "./batchEvents";
import { readBatch } from "./readBatch";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import type { UnknownFields } from "@eventlogger/events/validation";
import { RequestError, type ErrorCode } from "../../http/errors";
import { sampleEvent } from "../../testing/requests";

const RECEIVED_AT = 1_700_000_001_000;
const EARLIEST = Date.UTC(2010, 0, 1);

function read(
  body: string,
  format: "json" | "ndjson" = "json",
  maxEvents = 10,
  unknownFields: UnknownFields = "keep",
): BatchEvents {
  return readBatch(Buffer.from(body), {
    format,
    maxEvents,
    idempotencyKey: "",
    receivedAt: RECEIVED_AT,
    rules: { earliest: EARLIEST, unknownFields },
  });
}
const json = JSON.stringify;
const lines = (...events: unknown[]): string => events.map((event) => json(event)).join("\n");
const ids = (batch: BatchEvents): string[] => batch.messages.map(({ attributes }) => attributes.event_id);

function assertRefused(run: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof RequestError);
    assert.equal(error.code, code);
    assert.match(error.errors.map((e) => `${e.field} ${e.message}`).join(), message);
    return true;
  });
}

describe("readBatch", () => {
  const a = sampleEvent({ event_id: "a" });
  const b = sampleEvent({ event_id: "b" });

  it("readBatch reads an array, an object with events, and NDJSON", () => {
    for (const batch of [
      read(json([a, b])),
      read(json({ events: [a, b] })),
      read(lines(a, b), "ndjson"),
      read(`\r\n${json(a)}\r\n\n  \n${json(b)}\r\n`, "ndjson"),
    ]) {
      assert.deepEqual(ids(batch), ["a", "b"]);
      assert.deepEqual(batch.rejected, []);
      assert.equal(batch.messages[0]?.attributes.event_time, "1700000000123");
    }
    for (const empty of [read("[]"), read('{"events":[]}'), read("", "ndjson")]) {
      assert.deepEqual([empty.size, empty.messages, empty.rejected, empty.warnings], [0, [], [], []]);
    }
  });

  it("readBatch rejects only the invalid events, by index", () => {
    const bad = [{ ...a, session_id: "" }, null, [a], "text", JSON.parse('{"__proto__":{"type":"event"}}') as unknown];
    for (const batch of [read(json([a, ...bad, b])), read(lines(a, ...bad, b), "ndjson")]) {
      assert.deepEqual(ids(batch), ["a", "b"]);
      assert.deepEqual(
        batch.rejected.map(({ index }) => index),
        [1, 2, 3, 4, 5],
      );
      assert.deepEqual(batch.rejected[0]?.errors, [
        { field: "session_id", message: "must be a string of 1 to 128 characters or a number" },
      ]);
    }
  });

  it("readBatch rejects only the events before the earliest event time", () => {
    const batch = read(json([a, { ...b, event_time: "2009-12-31" }]));
    assert.deepEqual(ids(batch), ["a"]);
    const message = "must not be before 2010-01-01T00:00:00Z";
    assert.deepEqual(batch.rejected, [{ index: 1, errors: [{ field: "event_time", message }] }]);
  });

  it("readBatch rejects only the events whose properties have numbers that would lose digits", () => {
    const [exact, inexact] = ["9007199254740992", "9007199254740993"].map((n, i) =>
      json(i === 0 ? a : b).replace(/}$/, `,"properties":{"order":${n}}}`),
    );
    for (const batch of [read(`[${exact},${inexact}]`), read(`${exact}\n${inexact}`, "ndjson")]) {
      assert.deepEqual(ids(batch), ["a"]);
      assert.match(batch.rejected[0]?.errors[0]?.message ?? "", /number 9007199254740993, which would lose digits/);
    }
  });

  it("readBatch warns about an event that has the id of another one and other content", () => {
    const batch = read(json([a, b, a, { ...a, page: "/other" }, { ...b, event_time: 1_700_000_000 }, {}]));
    assert.deepEqual(ids(batch), ["a", "b", "a", "a", "b"]);
    assert.deepEqual(
      batch.warnings.map(({ index, field, code }) => [index, field, code]),
      [
        [3, "event_id", "conflict"],
        [4, "event_id", "conflict"],
      ],
    );
    assert.match(batch.warnings[0]?.message ?? "", /^must name one event, but event 0 of this batch has it too/);
    assert.deepEqual(read(json([sampleEvent(), sampleEvent()])).warnings, []);
  });

  it("readBatch rejects only the lines that are not JSON", () => {
    const batch = read(`${json(a)}\n{"type":\n${json(b)}`, "ndjson");
    assert.deepEqual(ids(batch), ["a", "b"]);
    assert.equal(batch.rejected.length, 1);
    assert.equal(batch.rejected[0]?.index, 1);
    assert.match(batch.rejected[0]?.errors[0]?.message ?? "", /^must be JSON: /);
  });

  it("readBatch rejects an event that is nested too deep alone, or the whole body when parsing would be too costly", () => {
    const deep = (depth: number): string =>
      json(a).replace(/}$/, `,"properties":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`);
    assert.deepEqual(ids(read(`[${deep(100)}]`)), ["a"]);
    assert.equal(read(`[${deep(101)}]`).rejected[0]?.errors[0]?.field, "properties");
    assertRefused(() => read(`[${deep(300)}]`), "INVALID_JSON", /is nested deeper than 200/);
    const batch = read(`${deep(300)}\n${json(b)}`, "ndjson");
    assert.deepEqual(ids(batch), ["b"]);
    assert.match(batch.rejected[0]?.errors[0]?.message ?? "", /is nested deeper than 200/);
  });

  it("readBatch refuses a body that is not a batch", () => {
    assertRefused(() => read(""), "INVALID_JSON", /empty/);
    assertRefused(() => read("[1,"), "INVALID_JSON", /must be JSON/);
    for (const value of [null, 1, "text", true]) assertRefused(() => read(json(value)), "INVALID_BATCH", /an array of/);
    assertRefused(() => read("{}"), "INVALID_BATCH", /^events must be an array$/);
    assertRefused(() => read(json({ events: a })), "INVALID_BATCH", /^events must be an array$/);
    assertRefused(() => read(json({ events: [a], sent_at: "soon" })), "INVALID_BATCH", /^sent_at must be an ISO 8601/);
    assertRefused(() => read(json({ events: [a], sent_at: {} })), "INVALID_BATCH", /^sent_at must be a number or/);
    assertRefused(() => read('{"__proto__":{"events":[]}}'), "INVALID_BATCH", /^events must be an array$/);
    assertRefused(() => read(json(a)), "INVALID_BATCH", /^events must be an array$/);
  });

  it("readBatch accepts a batch with fields that it does not know, and warns of them, as it does for events", () => {
    const batch = read(`{"events":[${json(a)}],"sentAt":1,"writeKey":"k","__proto__":1,"sent_at":null}`);
    assert.deepEqual(ids(batch), ["a"]);
    const message = "is not a field of a batch, and was ignored";
    assert.deepEqual(batch.warnings, [
      { field: "sentAt", code: "misspelled", message: `${message}; did you mean sent_at?` },
      { field: "writeKey", code: "unknown", message },
      { field: "__proto__", code: "unknown", message },
    ]);
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${i}`, i]));
    assert.equal(read(json({ events: [a], ...many })).warnings.length, 20);
  });

  it("readBatch refuses a batch with fields that it does not know when unknown fields are refused", () => {
    const strict = (body: string): BatchEvents => read(body, "json", 10, "refuse");
    assertRefused(
      () => strict(json({ events: [a], sentAt: 1 })),
      "INVALID_BATCH",
      /^sentAt is not a field of a batch$/,
    );
    assertRefused(() => strict('{"__proto__":{"events":[]}}'), "INVALID_BATCH", /^__proto__ is not a field/);
    assertRefused(() => strict(json(a)), "INVALID_BATCH", /session_id is not a field of a batch/);
  });

  it("readBatch refuses a batch with too many events", () => {
    const many = (n: number): unknown[] => Array.from({ length: n }, () => a);
    assert.equal(read(json(many(10))).messages.length, 10);
    assert.equal(read(lines(...many(10)), "ndjson").messages.length, 10);
    assertRefused(() => read(json(many(11))), "TOO_MANY_EVENTS", /more than 10 events/);
    assertRefused(() => read(lines(...many(11)), "ndjson"), "TOO_MANY_EVENTS", /more than 10 events/);
    assertRefused(() => read("x\n".repeat(100_000), "ndjson"), "TOO_MANY_EVENTS", /more than 10 events/);
  });

  it("readBatch gives an event without an id the same id in a retried batch, also next to invalid events", () => {
    const body = json([{}, sampleEvent(), a, sampleEvent()]);
    const first = read(body);
    assert.deepEqual(ids(read(body)), ids(first));
    assert.equal(new Set(ids(first)).size, 3);
    assert.equal(ids(first)[1], "a");
    assert.ok(ids(first)[0]?.endsWith("0001") && ids(first)[2]?.endsWith("0003"));
    assert.notDeepEqual(ids(read(body + " ")), ids(first));
  });

  it("readBatch accepts or rejects each event of any batch exactly once", () => {
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.double(), fc.jsonValue({ maxDepth: 2 }));
    const optional = fc.record(
      {
        ...{ anonymous_id: value, sent_at: value, app: value, platform: value, referrer: value },
        ...{ is_bot: value, original_event_time: value, sentAt: value, ["__proto__"]: value, properties: value },
      },
      { requiredKeys: [] },
    );
    const event = fc.oneof(
      optional.map((fields) => sampleEvent(fields)),
      fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as unknown),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 10 }), (events) => {
        const batch = read(json(events));
        assert.equal(batch.messages.length + batch.rejected.length, events.length);
        assert.deepEqual(ids(read(json(events))), ids(batch));
        for (const { errors } of batch.rejected) assert.ok(errors.length > 0);
        // What ingest publishes must be an event for the pipeline.
        for (const { data } of batch.messages) {
          const decoded = decodeMessage(data, { messageId: "m", publishTime: RECEIVED_AT });
          assert.ok(decoded.ok, JSON.stringify(decoded));
        }
      }),
      { numRuns: 150 },
    );
  });
});
