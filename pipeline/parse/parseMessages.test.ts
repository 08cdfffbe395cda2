import assert from "node:assert/strict";
import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { ReplayEncoder } from "@eventlogger/events/replayMessage";
import { ParseMessages, parseMessage } from "./parseMessages";
import type { ParseResult } from "./parseResult";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 31, 12);

const event = (fields: Partial<AnalyticsEvent> = {}): AnalyticsEvent => ({
  ...ABSENT_FIELDS,
  ...{ type: "event", event_id: "e", session_id: "s", event_name: "view", user_id: "u", properties: { a: 1 } },
  event_time: NOW,
  received_at: NOW,
  ...fields,
});

function parse(data: Uint8Array | string): ParseResult {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  return parseMessage({ data: bytes, messageId: "4711", publishTime: NOW }, DAY, NOW);
}
function deadLetterOf(data: Uint8Array | string) {
  const result = parse(data);
  return result.kind === "deadLetter" ? result.deadLetter : assert.fail("parsed as an event");
}

describe("parseMessage", () => {
  it("a valid message becomes its event", () => {
    const expected = { kind: "event", event: event(), propertiesJson: '{"a":1}', isStale: false };
    assert.deepEqual(parse(encodeMessage(event()).data), expected);
  });

  it("a message of an earlier release, in Avro's encoding of its own fields, becomes an event without the later fields", () => {
    const earlier =
      '{"type":"event","event_id":"e","session_id":"s","event_name":"view","event_time":1769860800.000,' +
      '"user_id":{"string":"u"},"page":null,"country":null,"region":null,"city":null,' +
      `"properties":"{\\"a\\":1}","received_at":${NOW}}`;
    const expected = { kind: "event", event: event(), propertiesJson: '{"a":1}', isStale: false };
    assert.deepEqual(parse(earlier), expected);
  });

  /** Whether an event is stale. The times are relative to NOW; ms. */
  function isStale(eventTime: number, times: { published?: number; watermark?: number; clock?: number } = {}): boolean {
    const { published = 0, watermark, clock = 0 } = times;
    const { data } = encodeMessage(event({ event_time: NOW + eventTime }));
    const message = { data, messageId: "4711", publishTime: NOW + published };
    const known = watermark === undefined ? message : { ...message, watermark: NOW + watermark };
    const result = parseMessage(known, DAY, NOW + clock);
    return result.kind === "event" ? result.isStale : assert.fail(result.deadLetter.errorMessage);
  }

  it("an event is stale when it was older than the limit at its publication", () => {
    assert.equal(isStale(-DAY), false);
    assert.equal(isStale(-DAY - 1), true);
    assert.equal(isStale(Date.UTC(2020, 1, 29) - NOW), true);
  });

  it("an event is stale when it is older than the limit at the watermark of its source, whatever the clock shows", () => {
    const hour = DAY / 24;
    const published = -3 * hour; // redelivered after the watermark has advanced
    for (const clock of [-30 * hour, -3 * hour, 0, 30 * hour]) {
      assert.equal(isStale(-DAY, { published, watermark: 0, clock }), false);
      assert.equal(isStale(-DAY - 1, { published, watermark: 0, clock }), true);
      assert.equal(isStale(-hour, { watermark: -hour, clock }), false);
    }
  });

  it("without Beam's session windows no event is stale", () => {
    const { data } = encodeMessage(event({ event_time: NOW - 3000 * DAY }));
    const result = parseMessage({ data, messageId: "4711", publishTime: NOW, watermark: NOW }, undefined, NOW);
    assert.equal(result.kind === "event" && result.isStale, false);
  });

  it("without a watermark, the later of publish time and clock decides whether an event is stale", () => {
    const hour = DAY / 24;
    assert.equal(isStale(-DAY - 1, { published: 0, clock: -3 * hour }), true);
    assert.equal(isStale(-DAY - 1, { published: -3 * hour, clock: 0 }), true);
    assert.equal(isStale(-DAY - 1, { published: -3 * hour, clock: -3 * hour }), false);
  });

  it("a message that is not JSON becomes a dead letter with its text", () => {
    const { errorMessage, ...deadLetter } = deadLetterOf("no JSON");
    assert.deepEqual(deadLetter, {
      errorType: "not_json",
      payload: "no JSON",
      payloadEncoding: "utf8",
      source: "message 4711",
      failedAt: NOW,
    });
    assert.match(errorMessage, /^The message is not JSON: /);
  });

  it("an invalid event becomes a dead letter that names each problem", () => {
    const { errorType, errorMessage } = deadLetterOf(
      '{"type":"event","session_id":"","event_name":"n","event_time":1}',
    );
    assert.equal(errorType, "invalid_event");
    assert.equal(errorMessage, "session_id must be a string of 1 to 128 characters");
  });

  it("a message that is not UTF-8 becomes a dead letter in base64", () => {
    const { errorType, payload, payloadEncoding } = deadLetterOf(Uint8Array.of(0xff, 0x00, 0xfe));
    assert.deepEqual([errorType, payload, payloadEncoding], ["not_utf8", "/wD+", "base64"]);
  });

  it("of a field that a message has twice, the last one counts", () => {
    const text = '{"type":"event","session_id":"first","session_id":"last","event_name":"n","event_time":1769860800}';
    const result = parse(text);
    assert.equal(result.kind === "event" && result.event.session_id, "last");
    // A second event_id does not get past the rules of the first.
    assert.equal(deadLetterOf(text.replace('"last"', "5")).errorType, "invalid_event");
  });

  it("a message of 10 MB becomes a dead letter with the first 1,000,000 bytes", () => {
    const text = JSON.stringify({ type: "event", page: "x" + "é".repeat(5_000_000) });
    const { errorType, errorMessage, payload } = deadLetterOf(text);
    assert.equal(errorType, "invalid_event");
    assert.match(errorMessage, /page must be .* \(first 1000000 of 10000027 bytes\)$/);
    assert.equal(Buffer.byteLength(payload), 1_000_002, "half a character becomes U+FFFD");
  });
});

describe("ParseMessages", () => {
  it("ParseMessages yields each message under the name of its output", () => {
    const parseMessages = new ParseMessages(DAY);
    const outputOf = (text: string): string[] =>
      [...parseMessages.process({ data: Buffer.from(text), messageId: "1", publishTime: Date.now() })].flatMap(
        Object.keys,
      );
    assert.deepEqual(outputOf(encodeMessage(event()).data.toString()), ["events"]);
    assert.deepEqual(outputOf("no JSON"), ["deadLetters"]);
  });

  /** The outputs for a message of the replay subscription. */
  function replay(data: Uint8Array, { replay = "2", staleAfterMs }: { replay?: string; staleAfterMs?: number } = {}) {
    const message = { data, messageId: "77", publishTime: NOW, watermark: NOW, replay };
    return [...new ParseMessages(staleAfterMs).process(message)];
  }
  const stored = (event_id: string, fields: Partial<AnalyticsEvent> = {}) => {
    const { session_id, event_name, event_time, user_id, anonymous_id, is_bot, received_at } = event(fields);
    return { event_id, session_id, event_name, event_time, user_id, anonymous_id, is_bot, received_at };
  };
  function messageOf(...events: ReturnType<typeof stored>[]): Buffer {
    const encoder = new ReplayEncoder({ generation: 2, dataset: "analytics" });
    for (const one of events) assert.equal(encoder.add(one), undefined);
    return encoder.flush()?.data ?? assert.fail("no message");
  }

  it("a replay message becomes one event for each line, without the fields that only its raw row has", () => {
    const lines = [
      stored("a", { user_id: null, anonymous_id: "a", is_bot: true }),
      stored("b", { event_time: NOW - 3000 * DAY }),
    ];
    const expected = lines.map((fields) => ({
      events: { kind: "event", event: { ...event(fields), properties: null }, isStale: false, isReplay: true },
    }));
    assert.deepEqual(replay(messageOf(...lines)), expected);
  });

  it("replayed events of any age bypass Beam's session windows", () => {
    const outputs = replay(messageOf(stored("a"), stored("b", { event_time: NOW - 3000 * DAY })), {
      staleAfterMs: DAY,
    });
    assert.deepEqual(
      outputs.map((output) => "events" in output && output.events.isStale),
      [true, true],
    );
  });

  it("a broken line of a replay message becomes a dead letter that names it, and the other lines are replayed", () => {
    const [first = "", last = ""] = messageOf(stored("a"), stored("b")).toString().split("\n");
    const broken = first.replace('"a"', "5");
    const outputs = replay(Buffer.from([first, broken, "{", last].join("\n")));
    assert.deepEqual(
      outputs.map((output) => ("events" in output ? output.events.event.event_id : output.deadLetters.source)),
      ["a", "replay message 77, line 2", "replay message 77, line 3", "b"],
    );
    const [letter] = outputs.flatMap((output) => ("deadLetters" in output ? [output.deadLetters] : []));
    const { errorType, errorMessage, payload } = letter ?? assert.fail("no dead letter");
    const reason = "The line has an event_id that is not a text, or an empty one";
    assert.deepEqual([errorType, errorMessage, payload], ["invalid_replay", reason, broken]);
  });

  it("a message on the replay subscription without the attribute of replay messages becomes a dead letter", () => {
    // In an ordinary message, a whole number is a time in seconds.
    const data = Buffer.from(JSON.stringify({ ...event({ event_time: 1_769_860_800 }) }));
    for (const attribute of ["", "g2"]) {
      const outputs = replay(data, { replay: attribute });
      assert.deepEqual(outputs.flatMap(Object.keys), ["deadLetters"]);
    }
  });
});
