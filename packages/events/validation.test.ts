import assert from "node:assert/strict";
import fc from "fast-check";
import { ABSENT_FIELDS } from "./absentFields";
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
    });
    assert.deepEqual(
      new Map(errors.map((e) => [e.field, e.message])),
      new Map([
        ["event_name", "is required"],
        ["colour", "is not a field of an event"],
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
    for (const field of ["page", "country", "region", "city"]) {
      accepted({ ...MINIMAL, [field]: "😀".repeat(1024) });
      assert.equal(errorsOf({ ...MINIMAL, [field]: "😀".repeat(1025) })[0]?.field, field);
    }
    accepted({ ...MINIMAL, user_id: "😀".repeat(256) });
    assert.equal(errorsOf({ ...MINIMAL, user_id: "😀".repeat(257) })[0]?.field, "user_id");
  });

  it("validateEvent rejects half of a surrogate pair in an id", () => {
    for (const field of ["event_id", "session_id", "user_id"]) {
      for (const half of ["a\ud800", "\udc00"]) {
        assert.deepEqual(errorsOf({ ...MINIMAL, [field]: half }), [
          { field, message: "must be well-formed Unicode (it has half of a surrogate pair)" },
        ]);
      }
    }
  });

  it("validateEvent replaces half of a surrogate pair in other texts, with a warning for each field", () => {
    const message = "must be well-formed Unicode; half of a surrogate pair in it was replaced by U+FFFD";
    for (const field of ["event_name", "page", "country", "region", "city"] as const) {
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
  }).timeout(20_000);

  it("validateEvent reads a number as an id as its text", () => {
    const { event } = accepted({ ...MINIMAL, user_id: 42, session_id: 7, event_id: 1.5 });
    assert.deepEqual([event.user_id, event.session_id, event.event_id], ["42", "7", "1.5"]);
    assert.deepEqual(errorsOf({ ...MINIMAL, event_name: 7 }), [
      { field: "event_name", message: "must be a string of 1 to 128 characters" },
    ]);
  });

  it("validateEvent reads null in any optional field as absent", () => {
    const none = { event_id: null, user_id: null, page: null, country: null, region: null, city: null };
    assert.deepEqual(accepted({ ...MINIMAL, ...none, properties: null }), accepted(MINIMAL));
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
    for (const field of ["event_id", "session_id", "event_name", "user_id"]) {
      for (const character of ["\0", "\t", "\n", "\x1f", "\x7f", "\x85"]) {
        assert.deepEqual(errorsOf({ ...MINIMAL, [field]: `a${character}b` }), [
          { field, message: "must not have control characters such as NUL, tab or line break" },
        ]);
      }
      accepted({ ...MINIMAL, [field]: "a b|,;\u00a0\u200f" });
    }
    accepted({ ...MINIMAL, page: "a\tb" });
  });

  it("validateEvent reports unknown fields, even __proto__, constructor and the empty name", () => {
    for (const name of ["__proto__", "constructor", "toString", "received_at", "Type", "hasOwnProperty"]) {
      const body: unknown = JSON.parse(JSON.stringify(MINIMAL).replace("{", `{${JSON.stringify(name)}:1,`));
      assert.deepEqual(errorsOf(body), [{ field: name, message: "is not a field of an event" }]);
    }
    assert.deepEqual(errorsOf({ ...MINIMAL, "": 1 }), [{ field: '""', message: "is not a field of an event" }]);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  it("validateEvent reports at most 20 problems", () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, 1]));
    assert.equal(errorsOf(many).length, 20);
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
  }).timeout(20_000);
});
