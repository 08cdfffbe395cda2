import assert from "node:assert/strict";
import fc from "fast-check";
import type { AnalyticsEvent, JsonObject } from "./event";
import { validateEvent } from "./validation";
import { decodeMessage, encodeMessage, type DecodedMessage } from "./wire";

const NOW = Date.UTC(2024, 4, 17, 12);
const META = { messageId: "4711", publishTime: NOW + 5 };

const decodeText = (text: string, meta = META): DecodedMessage => decodeMessage(Buffer.from(text, "utf8"), meta);
const refused = (decoded: DecodedMessage): { errorType: string; message: string } =>
  decoded.ok ? assert.fail("was accepted") : decoded;
const acceptedEvent = (decoded: DecodedMessage): AnalyticsEvent =>
  decoded.ok ? decoded.event : assert.fail(decoded.message);

const word = (max: number): fc.Arbitrary<string> => fc.string({ unit: "grapheme", minLength: 1, maxLength: max });
const optional = fc.option(fc.string({ unit: "grapheme", maxLength: 40 }), { nil: null });
/** Inputs that are valid by construction. */
const inputs = fc.record(
  {
    type: fc.constant("event"),
    event_id: word(20),
    session_id: word(20),
    event_name: word(20),
    event_time: fc.oneof(
      fc.integer({ min: 0, max: NOW + 86_400_000 }).map((ms) => new Date(ms).toISOString()),
      fc.integer({ min: 0, max: NOW / 1000 }),
      fc.double({ min: 0, max: NOW / 1000, noNaN: true }),
      fc.integer({ min: 1e11, max: NOW + 86_400_000 }),
    ),
    user_id: optional,
    page: optional,
    country: optional,
    region: optional,
    city: optional,
    // Through JSON once, as over HTTP: there is no -0 after it.
    properties: fc
      .dictionary(word(8), fc.jsonValue({ maxDepth: 4, stringUnit: "grapheme" }))
      .map((o) => JSON.parse(JSON.stringify(o)) as JsonObject)
      .filter((o) => JSON.stringify(o).length < 5000),
  },
  { requiredKeys: ["type", "session_id", "event_name", "event_time"] },
);

describe("wire", () => {
  it("carries every valid event unchanged, whatever the message id and publish time", () => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 0, max: 1e9 }), (input, later) => {
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
  }).timeout(20_000);

  it("leaves absent fields out and writes times as epoch milliseconds", () => {
    const validated = validateEvent(
      { type: "event", event_id: "e", session_id: "s", event_name: "n", event_time: NOW },
      NOW,
    );
    assert.ok(validated.ok);
    assert.deepEqual(JSON.parse(encodeMessage(validated.event).data.toString("utf8")), {
      type: "event",
      event_id: "e",
      session_id: "s",
      event_name: "n",
      event_time: NOW,
      received_at: NOW,
    });
  });

  it("keeps moments before March 1973, whose milliseconds look like seconds", () => {
    const validated = validateEvent({ type: "event", session_id: "s", event_name: "n", event_time: 0.5 }, NOW);
    assert.ok(validated.ok);
    assert.equal(validated.event.event_time, 500);
    assert.equal(acceptedEvent(decodeMessage(encodeMessage(validated.event).data, META)).event_time, 500);
  });

  it("gives another publisher's message its id and publish time, the same on a redelivery", () => {
    const text = '{"type":"event","session_id":"s","event_name":"n","event_time":1700000000}';
    const event = acceptedEvent(decodeText(text));
    assert.equal(event.event_id, "4711");
    assert.equal(event.received_at, NOW + 5);
    assert.equal(event.event_time, 1_700_000_000_000);
    assert.deepEqual(acceptedEvent(decodeText(text)), event);
  });

  it("measures the future from the time of receipt", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW + 86_400_000 };
    assert.ok(decodeText(JSON.stringify({ ...body, received_at: NOW })).ok);
    assert.match(
      refused(decodeText(JSON.stringify({ ...body, received_at: NOW - 1 }))).message,
      /24 hours in the future/,
    );
    const late = { ...body, event_time: NOW * 2, received_at: NOW * 2 };
    assert.match(
      refused(decodeText(JSON.stringify(late))).message,
      /^received_at must not be more than 24 hours after/,
    );
  });

  it("refuses a received_at that is no integer of milliseconds", () => {
    const body = { type: "event", session_id: "s", event_name: "n", event_time: NOW };
    for (const received_at of ["2024-05-17", 1.5, -1, null, 1e300]) {
      const { errorType, message } = refused(decodeText(JSON.stringify({ ...body, received_at })));
      assert.equal(errorType, "invalid_event");
      assert.match(message, /^received_at must be an integer/);
    }
  });

  it("says why a message is no event", () => {
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
      refused(decodeText('{"type":"event","session_id":"s","event_time":1,"x":1}')).message,
      "event_name is required; x is not a field of an event",
    );
  });

  it("reads a view into a larger buffer", () => {
    const text = '{"type":"event","session_id":"s","event_name":"n","event_time":1}';
    const large = Buffer.from(`xx${text}yy`);
    assert.ok(decodeMessage(new Uint8Array(large.buffer, large.byteOffset + 2, text.length), META).ok);
  });

  it("never throws on any bytes", () => {
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
  }).timeout(20_000);
});
