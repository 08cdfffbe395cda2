import assert from "node:assert/strict";
import fc from "fast-check";
import { editDistance, SimilarFields } from "./similarFields";

const FIELDS = ["type", "event_id", "session_id", "event_name", "event_time", "user_id", "anonymous_id", "page", "app"];

describe("similarFields", () => {
  const names: [string, string | undefined][] = [
    ["userId", "user_id"],
    ["UserID", "user_id"],
    ["usr_id", "user_id"],
    ["eventName", "event_name"],
    ["event-time", "event_time"],
    ["sesion_id", "session_id"],
    ["anonymousId", "anonymous_id"],
    ["Type", "type"],
    ["pages", "page"],
    ["age", "page"],
    ["map", undefined],
    ["colour", undefined],
    ["timestamp", undefined],
    ["", undefined],
    ["__proto__", undefined],
    ["x".repeat(10_000), undefined],
  ];
  for (const [name, expected] of names) {
    it(`the unknown field ${JSON.stringify(name.slice(0, 20))} is taken for ${expected ?? "no known field"}`, () => {
      const similar = new SimilarFields(FIELDS);
      assert.equal(similar.of(name), expected);
      assert.equal(similar.of(name), expected, "when it is asked again");
    });
  }

  it("the edit distance is 0 for equal texts only, the same in both directions, and at most the longer length", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance === 0, a === b);
        assert.equal(distance, editDistance(b, a));
        assert.ok(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length));
      }),
    );
    assert.equal(editDistance("kitten", "sitting"), 3);
  });
});
