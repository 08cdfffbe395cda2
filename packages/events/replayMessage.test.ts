import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeReplay, MAX_REPLAY_BYTES, MAX_REPLAY_EVENTS, ReplayEncoder, type ReplayEvent } from "./replayMessage";

const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
// Text of rows can have line breaks and any other character but halves of surrogate pairs.
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 });
const event: fc.Arbitrary<ReplayEvent> = fc.record(
  {
    event_id: text,
    session_id: text,
    event_name: fc.oneof(text, fc.constant("a\nb")),
    event_time: time,
    user_id: fc.option(fc.oneof(text, fc.constant(""))),
    anonymous_id: fc.option(text),
    is_bot: fc.boolean(),
    received_at: time,
  },
  { noNullPrototype: true },
);

function encode(events: readonly ReplayEvent[]) {
  const encoder = new ReplayEncoder({ generation: 3, dataset: "analytics" });
  const messages = events.flatMap((one) => encoder.add(one) ?? []);
  return [...messages, ...[encoder.flush() ?? []].flat()];
}

describe("Replay messages", () => {
  it("have all events in their order, at most 500 and 64 KiB in a message", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 1200, size: "max" }), (events) => {
        const messages = encode(events);
        const decoded = messages.flatMap(({ data }) => [...decodeReplay(data)]);
        assert.deepEqual(
          decoded,
          events.map((one) => ({ ok: true, event: one })),
        );
        for (const { data, events: count, attributes } of messages) {
          assert.deepEqual(attributes, { replay: "3", dataset: "analytics" });
          assert(count >= 1 && count <= MAX_REPLAY_EVENTS);
          assert(data.length <= MAX_REPLAY_BYTES);
          assert.equal([...decodeReplay(data)].length, count);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("an event that is larger than a message gets a message of its own", () => {
    const small = fc.sample(event, 1)[0] as ReplayEvent;
    const large = { ...small, user_id: "u".repeat(MAX_REPLAY_BYTES) };
    assert.deepEqual(
      encode([small, large, small]).map(({ events }) => events),
      [1, 1, 1],
    );
  });

  const good =
    '{"event_id":"e","session_id":"s","event_name":"n","event_time":5,"user_id":null,"anonymous_id":"a","is_bot":true,"received_at":6}';
  const messageOf = (line: string | Uint8Array): string => {
    const [decoded] = decodeReplay(typeof line === "string" ? Buffer.from(line) : line);
    return decoded?.ok === false ? decoded.message : assert.fail(`accepted: ${JSON.stringify(decoded)}`);
  };

  it("a broken line is reported with its number and text, and the lines around it are decoded", () => {
    const lines = [...decodeReplay(Buffer.from(`${good}\n\n{"event_id"\n${good}\n`))];
    assert.deepEqual(
      lines.map((line) => (line.ok ? line.event.event_id : [line.line, Buffer.from(line.payload).toString()])),
      ["e", [3, '{"event_id"'], "e"],
    );
    assert.match(messageOf('{"event_id"'), /^is not JSON: /);
  });

  it("a line is an event only with every field in its right form", () => {
    const wrong: readonly (readonly [string, string, string])[] = [
      ['"event_id":"e"', '"event_id":""', "event_id"],
      ['"session_id":"s"', '"session_id":5', "session_id"],
      ['"event_name":"n"', '"event_name":null', "event_name"],
      ['"event_time":5', '"event_time":5.5', "event_time"],
      ['"event_time":5', '"event_time":-5', "event_time"],
      ['"event_time":5', '"event_time":"5"', "event_time"],
      ['"event_time":5', '"event_time":1e15', "event_time"],
      ['"user_id":null', '"user_id":{"string":"u"}', "user_id"],
      ['"anonymous_id":"a"', '"anonymous_id":7', "anonymous_id"],
      ['"is_bot":true', '"is_bot":null', "is_bot"],
      ['"received_at":6', '"received_at":null', "received_at"],
    ];
    for (const [right, other, field] of wrong) {
      assert(good.includes(right));
      assert.match(messageOf(good.replace(right, other)), new RegExp(`^has an? ${field} that is`));
    }
    assert.equal(messageOf("[]"), "is not a JSON object");
    assert.equal(messageOf(Uint8Array.of(0xff)), "is not UTF-8 text");
  });

  const decoded = { event_id: "e", session_id: "s", event_name: "n", event_time: 5, user_id: null, received_at: 6 };

  it("fields that the ledgers do not need are left out", () => {
    const [line] = decodeReplay(Buffer.from(good.replace("}", ',"page":"p"}')));
    assert.deepEqual(line, { ok: true, event: { ...decoded, anonymous_id: "a", is_bot: true } });
  });

  it("a line of an earlier release has no anonymous id and is not a bot's", () => {
    const [line] = decodeReplay(Buffer.from(good.replace('"anonymous_id":"a","is_bot":true,', "")));
    assert.deepEqual(line, { ok: true, event: { ...decoded, anonymous_id: null, is_bot: false } });
  });
});
