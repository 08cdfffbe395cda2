import assert from "node:assert/strict";
import fc from "fast-check";
import type { AnalyticsEvent } from "./event";
import { validInputs } from "./testing/validInputs";
import { validateEvent } from "./validation";
import { decodeMessage, encodeMessage, type DecodedMessage } from "./eventMessage";

const NOW = Date.UTC(2024, 4, 17, 12);
const META = { messageId: "4711", publishTime: NOW + 5 };

const decodeText = (text: string, meta = META): DecodedMessage => decodeMessage(Buffer.from(text, "utf8"), meta);
const refused = (decoded: DecodedMessage): { errorType: string; message: string } =>
  decoded.ok ? assert.fail("the message was accepted") : decoded;
const acceptedEvent = (decoded: DecodedMessage): AnalyticsEvent =>
  decoded.ok ? decoded.event : assert.fail(decoded.message);

describe("eventMessage", () => {
  it("a message carries every valid event unchanged, for any message id and publish time", () => {
    fc.assert(
      fc.property(validInputs(NOW), fc.integer({ min: 0, max: 1e9 }), (input, later) => {
        const validated = validateEvent(input, NOW);
        if (!validated.ok) assert.fail(JSON.stringify(validated.errors));
        const { data, attributes } = encodeMessage(validated.event);
        assert.deepEqual(
          acceptedEvent(decodeMessage(data, { messageId: "m", publishTime: NOW + later })),
          validated.event,
        );
        assert.deepEqual(attributes, {
          event_id: validated.event.event_id,
          event_time: String(validated.event.event_time),
        });
      }),
      { numRuns: 1000 },
    );
  });

  it("encodeMessage writes every field in Avro's JSON encoding", () => {
    const validated = validateEvent(
      { type: "event", event_id: "e", session_id: "s", event_name: "n", event_time: NOW + 50, city: "Rome" },
      NOW,
    );
    assert.ok(validated.ok);
    assert.equal(
      encodeMessage(validated.event).data.toString("utf8"),
      '{"type":"event","event_id":"e","session_id":"s","event_name":"n","event_time":1715947200.050,' +
        '"original_event_time":null,"user_id":null,"anonymous_id":null,"page":null,"country":null,"region":null,"city":{"string":"Rome"},' +
        '"app":null,"platform":null,"referrer":null,"browser":null,"os":null,"is_bot":false,' +
        '"properties":"null","received_at":1715947200000}',
    );
  });

  it("decodeMessage reads plain JSON messages, as earlier releases wrote them", () => {
    fc.assert(
      fc.property(validInputs(NOW), (input) => {
        const validated = validateEvent(input, NOW);
        if (!validated.ok) assert.fail(JSON.stringify(validated.errors));
        const { event } = validated;
        const absent = (value: unknown): unknown => value ?? undefined;
        const plain = {
          ...event,
          event_time: new Date(event.event_time).toISOString(),
          user_id: absent(event.user_id),
          page: absent(event.page),
          country: absent(event.country),
          region: absent(event.region),
          city: absent(event.city),
          properties: absent(event.properties),
        };
        assert.deepEqual(acceptedEvent(decodeText(JSON.stringify(plain))), event);
      }),
      { numRuns: 300 },
    );
  });

  it("properties that look like an Avro union stay unchanged", () => {
    const properties = { string: "{}" };
    const plain = { type: "event", session_id: "s", event_name: "n", event_time: NOW, properties };
    const event = acceptedEvent(decodeText(JSON.stringify(plain)));
    assert.deepEqual(event.properties, properties);
    assert.deepEqual(acceptedEvent(decodeMessage(encodeMessage(event).data, META)).properties, properties);
  });

  it("decodeMessage rejects values that only resemble Avro's JSON encoding", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW };
    const messageOf = (field: object): string => refused(decodeText(JSON.stringify({ ...body, ...field }))).message;
    assert.match(messageOf({ user_id: { string: 5 } }), /^user_id must be null or a string/);
    assert.match(messageOf({ user_id: { string: "a", more: "b" } }), /^user_id must be null or a string/);
    assert.match(messageOf({ user_id: { text: "a" } }), /^user_id must be null or a string/);
    assert.match(messageOf({ session_id: { string: "a" } }), /^session_id must be a string/);
    for (const properties of ["", "{", "[]", "5", '"{}"']) {
      assert.match(messageOf({ properties }), /^properties must be a JSON object/);
    }
  });

  it("a message keeps times before March 1973, whose milliseconds look like seconds", () => {
    const validated = validateEvent({ type: "event", session_id: "s", event_name: "n", event_time: 0.5 }, NOW);
    assert.ok(validated.ok);
    assert.equal(validated.event.event_time, 500);
    assert.equal(acceptedEvent(decodeMessage(encodeMessage(validated.event).data, META)).event_time, 500);
  });

  it("an event without event_id and received_at gets the message id and publish time, also on redelivery", () => {
    const text = '{"type":"event","session_id":"s","event_name":"n","event_time":1700000000}';
    const event = acceptedEvent(decodeText(text));
    assert.equal(event.event_id, "4711");
    assert.equal(event.received_at, NOW + 5);
    assert.equal(event.event_time, 1_700_000_000_000);
    assert.deepEqual(acceptedEvent(decodeText(text)), event);
  });

  it("decodeMessage accepts what ingest accepted before its limits became narrower", () => {
    const long = "x".repeat(8192);
    const fields = { user_id: long, page: long, country: long, region: long, city: long, session_id: "a\0b" };
    const body = { type: "event", event_name: "n\n", event_time: NOW, ...fields };
    const event = acceptedEvent(decodeText(JSON.stringify(body)));
    assert.deepEqual({ ...event, ...fields }, event);
    for (const user_id of ["", "null"]) {
      assert.equal(acceptedEvent(decodeText(JSON.stringify({ ...body, user_id }))).user_id, user_id);
    }
    assert.match(refused(decodeText(JSON.stringify({ ...body, page: `${long}x` }))).message, /^page must be null or/);
  });

  it("decodeMessage refuses half of a surrogate pair in any text, as it always did", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW };
    for (const field of [{ page: "\ud800" }, { event_name: "\ud800" }, { properties: { a: ["\ud800"] } }]) {
      assert.match(refused(decodeText(JSON.stringify({ ...body, ...field }))).message, /half of a surrogate pair/);
    }
  });

  it("decodeMessage keeps fields that it does not know, such as those of a later release, in the properties", () => {
    const body = {
      type: "event",
      session_id: "s",
      event_name: "n",
      event_time: NOW,
      plan: { string: "pro" },
      sent_at: 5,
    };
    const decoded = decodeText(JSON.stringify({ ...body, properties: { a: 1 } }));
    const { event_time, properties } = acceptedEvent(decoded);
    assert.equal(event_time, NOW);
    assert.deepEqual(properties, { a: 1, _unknown_fields: { plan: { string: "pro" }, sent_at: 5 } });
    assert.ok(decoded.ok && decoded.propertiesJson === JSON.stringify(properties));
    assert.deepEqual(
      acceptedEvent(decodeMessage(encodeMessage(acceptedEvent(decoded)).data, META)).properties,
      properties,
    );
  });

  it("decodeMessage accepts properties of 16 KiB together with unknown fields of 16 KiB", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW };
    const full = (name: string): object => ({ [name]: "x".repeat(16_384 - `{"${name}":""}`.length) });
    const validated = validateEvent({ ...body, properties: full("a"), ...full("plan") }, NOW);
    assert.ok(validated.ok && validated.warnings.length === 0);
    assert.deepEqual(acceptedEvent(decodeMessage(encodeMessage(validated.event).data, META)), validated.event);
  });

  it("decodeMessage measures future event times from the time of receipt", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW + 86_400_000 };
    assert.ok(decodeText(JSON.stringify({ ...body, received_at: NOW })).ok);
    assert.match(
      refused(decodeText(JSON.stringify({ ...body, received_at: NOW - 1 }))).message,
      /24 hours in the future/,
    );
    const future = { ...body, event_time: NOW * 2, received_at: NOW * 2 };
    assert.match(
      refused(decodeText(JSON.stringify(future))).message,
      /^received_at must not be more than 24 hours after/,
    );
  });

  it("decodeMessage accepts event times from 1970 on, whatever limit posted events have", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: "1970-01-01" };
    assert.equal(acceptedEvent(decodeText(JSON.stringify(body))).event_time, 0);
  });

  it("decodeMessage rejects a received_at that is not an integer of milliseconds", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW };
    for (const received_at of ["2024-05-17", 1.5, -1, null, 1e300]) {
      const { errorType, message } = refused(decodeText(JSON.stringify({ ...body, received_at })));
      assert.equal(errorType, "invalid_event");
      assert.match(message, /^received_at must be an integer/);
    }
  });

  it("decodeMessage reports why a message is not an event", () => {
    assert.deepEqual(refused(decodeMessage(Uint8Array.of(0xff, 0xfe), META)), {
      ok: false,
      errorType: "not_utf8",
      message: "The message is not UTF-8 text",
    });
    for (const text of ["", "hello", "{", '{"a":1}}']) assert.equal(refused(decodeText(text)).errorType, "not_json");
    assert.deepEqual(refused(decodeText("[]")), {
      ok: false,
      errorType: "invalid_event",
      message: "The message must be a JSON object",
    });
    assert.equal(
      refused(decodeText('{"type":"event","session_id":"s","event_time":1,"eventName":1}')).message,
      "event_name is required; eventName is not a field of an event; is event_name meant?",
    );
  });

  it("decodeMessage reads a view into a larger buffer", () => {
    const text = '{"type":"event","session_id":"s","event_name":"n","event_time":1}';
    const large = Buffer.from(`xx${text}yy`);
    assert.ok(decodeMessage(new Uint8Array(large.buffer, large.byteOffset + 2, text.length), META).ok);
  });

  it("decodeMessage never throws, for any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new Uint8Array(Buffer.from(text))),
        ),
        (data) => {
          const decoded = decodeMessage(data, META);
          assert.equal(typeof decoded.ok, "boolean");
        },
      ),
      { numRuns: 1000 },
    );
  });
});
