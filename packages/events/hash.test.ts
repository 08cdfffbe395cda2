import assert from "node:assert/strict";
import { fnv1a } from "./hash";

describe("fnv1a", () => {
  it("fnv1a has the published values for ASCII texts", () => {
    // http://www.isthe.com/chongo/src/fnv/test_fnv.c
    assert.equal(fnv1a(""), 0x811c9dc5);
    assert.equal(fnv1a("a"), 0xe40c292c);
    assert.equal(fnv1a("foobar"), 0xbf9cf968);
  });
});
