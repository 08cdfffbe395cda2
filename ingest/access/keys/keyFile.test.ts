import assert from "node:assert/strict";
import { KeyFileError, keyFileProblem, parseKeys } from "./keyFile";

describe("parseKeys", () => {
  it("parseKeys reads one key per line and ignores comments, empty lines and surrounding spaces", () => {
    assert.deepEqual(parseKeys("\uFEFF# of the shop\r\n  wk_1 \r\n\n\twk#2\n"), [
      { name: "key-1", key: "wk_1" },
      { name: "key-2", key: "wk#2" },
    ]);
  });

  it("parseKeys reads JSON with or without names, and several keys per name", () => {
    assert.deepEqual(parseKeys('["a", "b"]'), [
      { name: "key-1", key: "a" },
      { name: "key-2", key: "b" },
    ]);
    assert.deepEqual(parseKeys('\n{"shop": ["old", "new"], "app.ios": "x"}'), [
      { name: "shop", key: "old" },
      { name: "shop", key: "new" },
      { name: "app.ios", key: "x" },
    ]);
  });

  for (const [text, problem] of [
    ["", /^contains no key$/],
    ["# nothing\n\n", /^contains no key$/],
    ["[]", /^contains no key$/],
    ["{}", /^contains no key$/],
    ['{"shop": "secret"', /^looks like JSON but does not parse$/],
    ['["secret", 1]', /^entry 2: a key must be a string$/],
    ['{"shop": {"secret": 1}}', /^shop: a key must be a string$/],
    ['{"secret name": "x"}', /^entry 1: a name must be/],
    ["ok\nsecret with blanks", /^line 2: a key must be 1 to 256 visible ASCII/],
    ["schlüssel-secret", /^line 1: a key must be/],
    [`secret${"x".repeat(251)}`, /^line 1: a key must be/],
    ['{"shop": ""}', /^shop: a key must be/],
    ["secret\nother\nsecret", /^line 3: duplicate key$/],
    [Array.from({ length: 1001 }, (_, i) => `secret${i}`).join("\n"), /^contains more than 1000 keys$/],
  ] as const) {
    it(`parseKeys explains the problem without quoting a key: ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(
        () => parseKeys(text),
        (error: unknown) => {
          assert.ok(error instanceof KeyFileError);
          assert.match(error.message, problem);
          assert.doesNotMatch(error.message, /secret/);
          return true;
        },
      );
    });
  }

  it("keyFileProblem reports a missing file", () => {
    assert.match(keyFileProblem("/nowhere/keys") ?? "", /must name a key file: ENOENT/);
  });
});
