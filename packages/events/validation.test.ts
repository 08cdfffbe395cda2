import assert from "node:assert/strict";
import fc from "fast-check";
import { ABSENT_FIELDS } from "./absentFields";
import type { AnalyticsEvent } from "./event";
import { decodeMessage, encodeMessage } from "./eventMessage";
import { parseExactJson } from "./exactJson";
import { validateEvent, type FieldError } from "./validation";

const NOW = Date.UTC(2024, 4, 17, 12);
const MINIMAL = { type: "event", session_id: "s1", event_name: "click", event_time: NOW };

const errorsOf = (input: unknown): FieldError[] => {
  const result = validateEvent(input, NOW);
  return result.ok ? assert.fail("accepted: " + JSON.stringify(result.event)) : result.errors;
};
const accepted = (input: unknown): ReturnType<typeof validateEvent> & { ok: true } => {
  const result = validateEvent(input, NOW, { createId: () => "created" });
  return result.ok ? result : assert.fail("rejected: " + JSON.stringify(result.errors));
};
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });

describe("validateEvent", () => {
  it("validateEvent fills in absent fields", () => {
    assert.deepEqual(accepted(MINIMAL).event, {
      ...ABSENT_FIELDS,
      ...MINIMAL,
      event_id: "created",
      received_at: NOW,
    });
  });

  it("validateEvent keeps given fields", () => {
    const given = {
      ...MINIMAL,
      event_id: "e1",
      user_id: "u1",
      anonymous_id: "a1",
      page: "/",
      country: "DE",
      region: "BE",
      city: "Köln",
      app: "shop",
      platform: "web",
      referrer: "search.example",
      properties: { a: [1, "x", null, { b: true }] },
    };
    assert.deepEqual(accepted({ ...given, event_time: "2024-05-17T12:00:00Z" }).event, {
      ...ABSENT_FIELDS,
      ...given,
      received_at: NOW,
    });
    assert.equal(accepted({ ...MINIMAL, user_id: null, city: null }).event.user_id, null);
  });

  it("validateEvent creates a UUIDv7 for an event without an id", () => {
    const result = validateEvent(MINIMAL, NOW);
    assert.ok(result.ok);
    assert.match(result.event.event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it("validateEvent reports every invalid field once", () => {
    const errors = errorsOf({
      type: "page",
      session_id: "",
      event_time: true,
      user_id: {},
      page: {},
      properties: [],
      colour: 1,
      event_id: true,
      eventName: "click",
    });
    assert.deepEqual(
      new Map(errors.map((e) => [e.field, e.message])),
      new Map([
        ["event_name", "is required"],
        ["eventName", "is not a field of an event; is event_name meant?"],
        ["type", 'must be "event"'],
        ["event_id", "must be null, a string of 1 to 128 characters or a number"],
        ["session_id", "must be a string of 1 to 128 characters or a number"],
        ["event_time", "must be a finite number (epoch seconds or milliseconds) or an ISO 8601 string"],
        ["user_id", "must be null, a string of 1 to 256 characters or a number"],
        ["page", "must be null or a string of at most 1024 characters"],
        ["properties", "must be a JSON object"],
      ]),
    );
    assert.equal(errors.length, 9);
  });

  it("validateEvent reports invalid times and properties together with schema errors", () => {
    const errors = errorsOf({ ...MINIMAL, session_id: {}, event_time: -5, properties: { a: Infinity } });
    assert.deepEqual(errors.map((e) => e.field).sort(), ["event_time", "properties", "session_id"]);
    assert.deepEqual(errorsOf({ ...MINIMAL, event_time: NOW + 86_400_001 }), [
      { field: "event_time", message: "must not be more than 24 hours in the future" },
    ]);
  });

  it("validateEvent rejects an event time before the earliest one and names the field and the limit", () => {
    const earliest = Date.UTC(2010, 0, 1);
    const result = (event_time: unknown): ReturnType<typeof validateEvent> =>
      validateEvent({ ...MINIMAL, event_time }, NOW, { earliest });
    for (const early of [earliest - 1, "2009-12-31T23:59:59.999Z", 0, -1]) {
      assert.deepEqual(result(early), {
        ok: false,
        errors: [{ field: "event_time", message: "must not be before 2010-01-01T00:00:00Z" }],
        isTimeOutOfRange: true,
      });
    }
    assert.ok(result(earliest).ok);
  });

  it("validateEvent checks an invalid event against the schema only once", () => {
    let reads = 0;
    const withCountedPage = (fields: object): object =>
      Object.defineProperty({ ...fields }, "page", { enumerable: true, get: () => (reads++, "/") });
    accepted(withCountedPage(MINIMAL));
    const readsOfValid = reads; // those of the schema, and one more for the event
    reads = 0;
    errorsOf(withCountedPage({ ...MINIMAL, session_id: {} }));
    assert.ok(reads > 0 && reads < readsOfValid, `${reads} reads of an invalid event, ${readsOfValid} of a valid one`);
  });

  it("validateEvent reports a body that is not an object", () => {
    for (const body of [null, undefined, 1, "event", true, [], [MINIMAL], NaN, () => MINIMAL, Symbol("x"), 1n]) {
      assert.deepEqual(errorsOf(body), [{ field: "", message: "must be a JSON object" }]);
    }
  });

  it("length limits count characters, not UTF-16 units", () => {
    accepted({ ...MINIMAL, session_id: "😀".repeat(128) });
    accepted({ ...MINIMAL, event_name: "x".repeat(128) });
    assert.equal(errorsOf({ ...MINIMAL, session_id: "😀".repeat(129) })[0]?.field, "session_id");
    assert.equal(errorsOf({ ...MINIMAL, event_name: "x".repeat(129) })[0]?.field, "event_name");
    assert.equal(errorsOf({ ...MINIMAL, event_id: "x".repeat(129) })[0]?.field, "event_id");
    for (const field of ["page", "country", "region", "city", "app", "platform"]) {
      accepted({ ...MINIMAL, [field]: "😀".repeat(1024) });
      assert.equal(errorsOf({ ...MINIMAL, [field]: "😀".repeat(1025) })[0]?.field, field);
    }
    for (const field of ["user_id", "anonymous_id"]) {
      accepted({ ...MINIMAL, [field]: "😀".repeat(256) });
      assert.equal(errorsOf({ ...MINIMAL, [field]: "😀".repeat(257) })[0]?.field, field);
    }
  });

  it("validateEvent rejects half of a surrogate pair in an id", () => {
    for (const field of ["event_id", "session_id", "user_id", "anonymous_id"]) {
      for (const half of ["a\ud800", "\udc00"]) {
        assert.deepEqual(errorsOf({ ...MINIMAL, [field]: half }), [
          { field, message: "must be well-formed Unicode (it has half of a surrogate pair)" },
        ]);
      }
    }
  });

  it("validateEvent replaces half of a surrogate pair in other texts, with a warning for each field", () => {
    const message = "must be well-formed Unicode; half of a surrogate pair in it was replaced by U+FFFD";
    for (const field of ["event_name", "page", "country", "region", "city", "app", "platform"] as const) {
      const { event, warnings } = accepted({ ...MINIMAL, [field]: "a \ud83d" });
      assert.equal(event[field], "a \ufffd");
      assert.deepEqual(warnings, [{ field, code: "replaced", message }]);
    }
    const properties = JSON.parse(
      '{"\\udc00":["\\ud800😀",{"__proto__":"\\ud800","n":1.5}],"kept":"\\\\ud800 😀"}',
    ) as object;
    const expected = JSON.parse(
      '{"\ufffd":["\ufffd😀",{"__proto__":"\ufffd","n":1.5}],"kept":"\\\\ud800 😀"}',
    ) as object;
    const { event, warnings } = accepted({ ...MINIMAL, user_id: "null", page: "\udc00", properties });
    assert.deepEqual(JSON.stringify(event.properties), JSON.stringify(expected));
    assert.deepEqual(
      warnings.map(({ field, code }) => [field, code]),
      [
        ["user_id", "placeholder"],
        ["page", "replaced"],
        ["properties", "replaced"],
      ],
    );
    const whole = { "😀": "\\ud800 😀" };
    const kept = accepted({ ...MINIMAL, page: "😀", properties: whole });
    assert.equal(kept.event.properties, whole);
    assert.deepEqual(kept.warnings, []);
  });

  it("validateEvent gives well-formed events, whatever halves of surrogate pairs the texts have", () => {
    const text = fc.string({ unit: "binary" });
    const texts = fc.record({ event_name: fc.string({ unit: "binary", minLength: 1 }), page: text, city: text });
    fc.assert(
      fc.property(texts, fc.dictionary(text, text), (given, properties) => {
        const result = validateEvent({ ...MINIMAL, ...given, properties }, NOW);
        if (!result.ok)
          return assert.deepEqual(result.errors[0]?.message.slice(0, 32), "must not have control characters");
        const json = JSON.stringify(result.event);
        assert.equal(json, Buffer.from(json, "utf8").toString("utf8"));
        assert.doesNotMatch(json.replaceAll("\\\\", ""), /\\ud[89a-f]/);
        const { event_name, page, city, properties: kept } = result.event;
        const isChanged =
          JSON.stringify({ ...given, properties }) !== JSON.stringify({ event_name, page, city, properties: kept });
        assert.equal(result.warnings.length > 0, isChanged);
      }),
      { numRuns: 1000 },
    );
  });

  it("validateEvent reads a number as an id as its text", () => {
    const { event } = accepted({ ...MINIMAL, user_id: 42, anonymous_id: 43, session_id: 7, event_id: 1.5 });
    assert.deepEqual([event.user_id, event.anonymous_id, event.session_id, event.event_id], ["42", "43", "7", "1.5"]);
    assert.deepEqual(errorsOf({ ...MINIMAL, event_name: 7 }), [
      { field: "event_name", message: "must be a string of 1 to 128 characters" },
    ]);
  });

  it("validateEvent reads null in any optional field as absent", () => {
    const none = {
      ...{ event_id: null, user_id: null, anonymous_id: null, sent_at: null, page: null, country: null },
      ...{ region: null, city: null, app: null, platform: null, referrer: null },
    };
    assert.deepEqual(accepted({ ...MINIMAL, ...none, properties: null }), accepted(MINIMAL));
  });

  it("validateEvent reads a placeholder as anonymous_id as null, with a warning, and keeps both ids of an event", () => {
    const { event, warnings } = accepted({ ...MINIMAL, user_id: "u1", anonymous_id: "undefined" });
    assert.deepEqual([event.user_id, event.anonymous_id], ["u1", null]);
    const message = 'must identify a device or browser; the placeholder "undefined" was read as null';
    assert.deepEqual(warnings, [{ field: "anonymous_id", code: "placeholder", message }]);
    const both = accepted({ ...MINIMAL, user_id: "same", anonymous_id: "same" }).event;
    assert.deepEqual([both.user_id, both.anonymous_id], ["same", "same"]);
  });

  it("validateEvent reads a placeholder as user_id as null, with a warning", () => {
    for (const user_id of ["", "null", " Undefined ", "[object Object]", 0, -1, true, false, "-1"]) {
      const { event, warnings } = accepted({ ...MINIMAL, user_id });
      assert.equal(event.user_id, null);
      const message = `must identify a user; the placeholder ${JSON.stringify(user_id)} was read as null`;
      assert.deepEqual(warnings, [{ field: "user_id", code: "placeholder", message }]);
    }
    for (const user_id of [null, undefined, "u1", 1]) assert.deepEqual(accepted({ ...MINIMAL, user_id }).warnings, []);
    assert.equal(accepted({ ...MINIMAL, session_id: "null" }).event.session_id, "null");
  });

  it("validateEvent rejects control characters in ids and names the field", () => {
    for (const field of ["event_id", "session_id", "event_name", "user_id", "anonymous_id"]) {
      for (const character of ["\0", "\t", "\n", "\x1f", "\x7f", "\x85"]) {
        assert.deepEqual(errorsOf({ ...MINIMAL, [field]: `a${character}b` }), [
          { field, message: "must not have control characters such as NUL, tab or line break" },
        ]);
      }
      accepted({ ...MINIMAL, [field]: "a b|,;\u00a0\u200f" });
    }
    accepted({ ...MINIMAL, page: "a\tb" });
  });

  it("validateEvent keeps unknown fields in the properties, even __proto__, constructor and the empty name", () => {
    for (const name of ["__proto__", "constructor", "toString", "received_at", "is_bot", "hasOwnProperty", ""]) {
      const body: unknown = JSON.parse(JSON.stringify(MINIMAL).replace("{", `{${JSON.stringify(name)}:{"a":1},`));
      const result = accepted(body);
      const expected = `{"_unknown_fields":{${JSON.stringify(name)}:{"a":1}}}`;
      assert.deepEqual([result.propertiesJson, result.hasUnknownFields], [expected, true]);
      assert.equal(JSON.stringify(result.event.properties), expected);
      assert.deepEqual({ ...result.event, properties: null }, accepted(MINIMAL).event);
    }
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    assert.equal(accepted(MINIMAL).hasUnknownFields, undefined);
  });

  it("unknown fields are kept beside the properties, and beside fields that a sender has kept in the same way", () => {
    const propertiesOf = (fields: object): unknown => {
      const { event, propertiesJson, warnings } = accepted({ ...MINIMAL, ...fields });
      assert.equal(propertiesJson, JSON.stringify(event.properties));
      assert.deepEqual(warnings, []);
      return event.properties;
    };
    assert.deepEqual(propertiesOf({ properties: {}, plan: null }), { _unknown_fields: { plan: null } });
    assert.deepEqual(propertiesOf({ properties: { a: 1 }, plan: ["x"] }), { a: 1, _unknown_fields: { plan: ["x"] } });
    const sent = { a: 1, _unknown_fields: { plan: 1, seats: 2 } };
    assert.deepEqual(propertiesOf({ properties: sent }), sent);
    assert.deepEqual(propertiesOf({ properties: sent, plan: 3 }), { a: 1, _unknown_fields: { plan: 3, seats: 2 } });
    assert.deepEqual(propertiesOf({ properties: { _unknown_fields: 1 }, plan: 3 }), { _unknown_fields: { plan: 3 } });
  });

  it("unknown fields that cannot be kept are dropped with a warning, and the event is accepted", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const unfit: [unknown, string][] = [
      ["x".repeat(16_384), "must be at most 16384 bytes as JSON in UTF-8, not 16395"],
      [nested(100), "must not nest deeper than 100 levels"],
      [cyclic, "must not nest deeper than 100 levels"],
      [Infinity, "must hold finite numbers only"],
    ];
    for (const [plan, problem] of unfit) {
      const { event, warnings, hasUnknownFields } = accepted({ ...MINIMAL, plan, properties: { a: 1 } });
      assert.deepEqual([event.properties, hasUnknownFields], [{ a: 1 }, true]);
      const message = `${problem}; the unknown fields were dropped`;
      assert.deepEqual(warnings, [{ field: "_unknown_fields", code: "dropped", message }]);
    }
  });

  it("a number in an unknown field that would lose digits is kept as text, and half of a surrogate pair is replaced", () => {
    const body = JSON.stringify(MINIMAL).replace("{", '{"order":[9007199254740993,{"n":1e400}],"note":"a \\ud83d",');
    const { event, warnings } = accepted(parseExactJson(body));
    assert.deepEqual(event.properties, {
      _unknown_fields: { order: ["9007199254740993", { n: "1e400" }], note: "a \ufffd" },
    });
    assert.deepEqual(
      warnings.map(({ field, code }) => [field, code]),
      [["properties", "replaced"]],
    );
  });

  it("an unknown field whose name resembles a known one is kept with a warning", () => {
    const { event, warnings } = accepted({ ...MINIMAL, userId: "u1", colour: "red" });
    assert.deepEqual([event.user_id, event.properties], [null, { _unknown_fields: { userId: "u1", colour: "red" } }]);
    const message = "is not a field of an event; is user_id meant?";
    assert.deepEqual(warnings, [{ code: "misspelled", field: "userId", message }]);
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`user_i${i}`, 1]));
    assert.equal(accepted({ ...MINIMAL, ...many }).warnings.length, 5);
  });

  it("validateEvent refuses unknown fields, whatever their names, when that is asked for", () => {
    const refused = (body: unknown): FieldError[] => {
      const result = validateEvent(body, NOW, { unknownFields: "refuse" });
      return result.ok ? assert.fail("accepted") : result.errors;
    };
    for (const name of ["__proto__", "constructor", "received_at", "Type", "hasOwnProperty", "userId"]) {
      const body: unknown = JSON.parse(JSON.stringify(MINIMAL).replace("{", `{${JSON.stringify(name)}:1,`));
      assert.deepEqual(refused(body), [{ field: name, message: "is not a field of an event" }]);
    }
    assert.deepEqual(refused({ ...MINIMAL, "": 1 }), [{ field: '""', message: "is not a field of an event" }]);
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, 1]));
    assert.equal(refused(many).length, 20);
    assert.ok(validateEvent(MINIMAL, NOW, { unknownFields: "refuse" }).ok);
  });

  it("properties are limited to 16 KiB of UTF-8 JSON", () => {
    const overhead = '{"a":""}'.length;
    accepted({ ...MINIMAL, properties: { a: "x".repeat(16_384 - overhead) } });
    accepted({ ...MINIMAL, properties: { a: "é".repeat((16_384 - overhead) / 2) } });
    assert.deepEqual(errorsOf({ ...MINIMAL, properties: { a: "x".repeat(16_385 - overhead) } }), [
      { field: "properties", message: "must be at most 16384 bytes as JSON in UTF-8, not 16385" },
    ]);
    assert.match(errorsOf({ ...MINIMAL, properties: { a: "é".repeat(8_189) } })[0]?.message ?? "", /not 16386/);
  });

  it("validateEvent rejects properties that a JSON round trip would change", () => {
    const self: Record<string, unknown> = {};
    self.self = self;
    const holed: unknown[] = [];
    holed[2] = 1;
    for (const bad of [
      { a: undefined },
      { a: NaN },
      { a: 1n },
      { a: new Date(0) },
      { a: () => 1 },
      { a: holed },
      self,
    ]) {
      assert.equal(errorsOf({ ...MINIMAL, properties: bad })[0]?.field, "properties");
    }
    assert.match(errorsOf(JSON.parse('{"properties":{"a":1e400}}'))[4]?.message ?? "", /finite/);
  });

  it("validateEvent keeps the digits of numbers as ids, and rejects those in properties that would lose digits", () => {
    const send = (fields: string): unknown => parseExactJson(JSON.stringify(MINIMAL).replace("}", `,${fields}}`));
    const { event } = accepted(send('"user_id":9007199254740993,"event_id":123456789012345678901234567890'));
    assert.deepEqual([event.user_id, event.event_id], ["9007199254740993", "123456789012345678901234567890"]);
    assert.deepEqual(errorsOf(send('"properties":{"a":[{"b":9007199254740993}]}')), [
      {
        field: "properties",
        message: "must not hold the number 9007199254740993, which would lose digits (send it as a string)",
      },
    ]);
    assert.match(errorsOf(send('"page":9007199254740993'))[0]?.message ?? "", /^must be null or a string/);
    accepted(send('"properties":{"a":[9007199254740992,0.1,"9007199254740993"]}'));
    const time = parseExactJson(
      `{"type":"event","session_id":"s","event_name":"n","event_time":1700000000.12345678901}`,
    );
    assert.equal(accepted(time).event.event_time, 1_700_000_000_123);
  });

  it("validateEvent rejects deep nesting without a stack overflow", () => {
    accepted({ ...MINIMAL, properties: nested(100) });
    assert.match(errorsOf({ ...MINIMAL, properties: nested(101) })[0]?.message ?? "", /nest deeper than 100 levels/);
    const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000)) as unknown;
    assert.equal(errorsOf({ ...MINIMAL, properties: { deep } })[0]?.field, "properties");
    assert.equal(errorsOf({ ...MINIMAL, page: deep })[0]?.field, "page");
    assert.equal(errorsOf(deep)[0]?.field, "");
  });

  it("validateEvent does not change its input", () => {
    const input = Object.freeze({ ...MINIMAL, properties: Object.freeze({ a: 1 }) });
    accepted(input);
  });

  describe("wrong clocks", () => {
    const HOUR = 3_600_000;
    const times = (event: AnalyticsEvent): unknown => [event.event_time, event.original_event_time];

    it("an event time is corrected by what the sender's clock is wrong by, with a warning, and the original is kept", () => {
      const given = { ...MINIMAL, event_time: NOW - 3 * HOUR, sent_at: (NOW - 2 * HOUR - 400) / 1000 };
      const { event, warnings } = accepted(given);
      assert.deepEqual(times(event), [NOW - HOUR, NOW - 3 * HOUR]);
      const message = "was corrected by +120 min, which the sender's clock is wrong by (sent_at)";
      assert.deepEqual(warnings, [{ field: "event_time", code: "corrected", message }]);
      const ahead = accepted({
        ...MINIMAL,
        event_time: NOW + 30 * HOUR,
        sent_at: new Date(NOW + 31 * HOUR).toISOString(),
      });
      assert.deepEqual(times(ahead.event), [NOW - HOUR, NOW + 30 * HOUR]);
    });

    it("an event time is kept when the sender's clock is right within 10 minutes, or when sent_at is missing or null", () => {
      for (const sent_at of [NOW, NOW - 600_000, NOW + 600_000, null, undefined]) {
        const { event, warnings } = accepted({ ...MINIMAL, event_time: NOW - HOUR, sent_at });
        assert.deepEqual([times(event), warnings], [[NOW - HOUR, null], []]);
      }
      assert.deepEqual(times(accepted({ ...MINIMAL, sent_at: NOW - 600_001 }).event), [NOW + 600_000, NOW]);
    });

    it("a time before 1970 or far in the future is accepted when its correction makes it a time of today", () => {
      const earliest = Date.UTC(2010, 0, 1);
      for (const [event_time, sent_at] of [
        [-90, -30],
        [0, 60],
        ["2060-01-01T00:00:00Z", "2060-01-01T00:01:00Z"],
      ]) {
        const result = validateEvent({ ...MINIMAL, event_time, sent_at }, NOW, { earliest });
        assert.ok(result.ok, JSON.stringify(result));
        assert.ok(Math.abs(result.event.event_time - (NOW - 60_000)) <= 30_000);
      }
    });

    it("a time that is too early or too late after its correction is an error that names the correction", () => {
      const refused = validateEvent({ ...MINIMAL, event_time: NOW, sent_at: NOW - 25 * HOUR }, NOW);
      const message =
        "must not be more than 24 hours in the future, also after its correction by +1500 min, which the sender's clock is wrong by (sent_at)";
      assert.deepEqual(refused, { ok: false, errors: [{ field: "event_time", message }], isTimeOutOfRange: true });
    });

    it("validateEvent reports a sent_at that is not a time", () => {
      const wrong: [unknown, RegExp][] = [
        ["yesterday", /^must be an ISO 8601/],
        [{}, /^must be null, a finite number/],
        [1e15, /^must be in the years 1 to 9999/],
        [-1e15, /^must be in the years 1 to 9999/],
      ];
      for (const [sent_at, message] of wrong) {
        const [error, ...more] = errorsOf({ ...MINIMAL, sent_at });
        assert.deepEqual([error?.field, more], ["sent_at", []]);
        assert.match(error?.message ?? "", message);
      }
    });

    it("a corrected event keeps both times in its message", () => {
      fc.assert(
        fc.property(fc.integer({ min: -1e13, max: 1e13 }), (skew) => {
          const result = validateEvent(
            { ...MINIMAL, event_time: (NOW + skew) / 1000, sent_at: (NOW + skew) / 1000 },
            NOW,
          );
          if (!result.ok) return assert.equal(result.isTimeOutOfRange, true);
          const decoded = decodeMessage(encodeMessage(result.event).data, { messageId: "m", publishTime: NOW });
          assert.ok(decoded.ok, JSON.stringify(decoded));
          assert.deepEqual(decoded.event, result.event);
        }),
      );
    });
  });

  it("an event has what is known about its sender, unless it states another app or platform", () => {
    const agent = { platform: "web", browser: "Firefox", os: "Linux", is_bot: true };
    const sender = { app: "shop", agent };
    const originOf = (fields: object): unknown => {
      const result = validateEvent({ ...MINIMAL, ...fields }, NOW, { sender });
      assert.ok(result.ok);
      const { app, platform, browser, os, is_bot } = result.event;
      return { app, platform, browser, os, is_bot };
    };
    assert.deepEqual(originOf({}), { app: "shop", ...agent });
    assert.deepEqual(originOf({ app: null, platform: null }), { app: "shop", ...agent });
    assert.deepEqual(originOf({ app: "kiosk", platform: "tv" }), { app: "kiosk", ...agent, platform: "tv" });
  });

  it("validateEvent keeps the host of a referrer, and reads one without a host as null, with a warning", () => {
    const of = (referrer: string): unknown => {
      const { event, warnings } = accepted({ ...MINIMAL, referrer });
      return [event.referrer, warnings.map(({ field, code }) => `${field} ${code}`)];
    };
    assert.deepEqual(of("https://Search.example/?q=secret"), ["search.example", []]);
    assert.deepEqual(of(""), [null, []]);
    assert.deepEqual(of("about:client"), [null, ["referrer ignored"]]);
    assert.deepEqual(of("https://x.example/\ud83d"), ["x.example", []]);
    assert.equal(errorsOf({ ...MINIMAL, referrer: "x".repeat(8193) })[0]?.field, "referrer");
  });

  it("validateEvent never throws, for any input", () => {
    const hostile = new Proxy({}, { get: () => assert.fail("trap"), ownKeys: () => assert.fail("trap") });
    assert.equal(validateEvent(hostile, NOW).ok, false);
    const field = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }), fc.jsonValue());
    const nearly = fc.record(
      {
        type: fc.oneof({ weight: 4, arbitrary: fc.constant<unknown>("event") }, field),
        session_id: fc.oneof({ weight: 4, arbitrary: fc.string({ unit: "binary" }) }, field),
        event_name: fc.oneof({ weight: 4, arbitrary: fc.string() }, field),
        event_time: fc.oneof({ weight: 4, arbitrary: fc.double() }, fc.string(), field),
        user_id: field,
        anonymous_id: field,
        sent_at: field,
        referrer: field,
        unknown: field,
        properties: field,
        ["__proto__"]: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(field, nearly), (input) => {
        const result = validateEvent(input, NOW);
        if (!result.ok) {
          assert.ok(result.errors.length > 0);
          assert.ok(result.errors.every((e) => typeof e.field === "string" && e.message.length > 5));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
