import assert from "node:assert/strict";
import { withoutRowValues } from "./rowValues";

describe("withoutRowValues", () => {
  const row = JSON.stringify({
    insertId: "event-7",
    json: {
      user_id: "marie@curie.example",
      page: '/"a"',
      properties: '{"plan":"gold","order":123456}',
      session_id: "s",
    },
  });

  it("removes values of rows that an error message quotes, and keeps what tells the cause", () => {
    for (const [message, expected] of [
      ["no such field: pagee.", "no such field: pagee."],
      ["Access Denied: Table p:d.events: Permission denied", "Access Denied: Table p:d.events: Permission denied"],
      ["Cannot convert marie@curie.example to INT64", "Cannot convert … to INT64"],
      ["Row event-7 has properties gold and 123456", "Row … has properties … and …"],
      ['invalid: {"page":"/\\"a\\""}', 'invalid: {"page":"…"}'],
      ["Invalid value 'marie@curie.exam", "Invalid value '…'"],
      ["Could not parse 'unknown' in 'event_time'", "Could not parse '…' in 'event_time'"],
      [
        "Cannot convert value to floating point (bad value): other text",
        "Cannot convert value to floating point (bad value): …",
      ],
      ["Field: user_id; Value: other", "Field: user_id; Value: …"],
    ] as const) {
      assert.equal(withoutRowValues(message, [row]), expected);
    }
  });

  it("leaves no part of the request when a proxy answers with it", () => {
    const echoed = withoutRowValues(`Bad request: ${row}`, [row]);
    assert.doesNotMatch(echoed, /marie|curie|gold|123456|event-7/);
    assert.equal(withoutRowValues("plain text", ["not JSON"]), "plain text");
  });
});
