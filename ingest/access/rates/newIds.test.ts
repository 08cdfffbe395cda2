import assert from "node:assert/strict";
import fc from "fast-check";
import { SeenIds } from "./newIds";

describe("SeenIds", () => {
  it("an id that was never added is unseen, however small the memory, and one that was just added is seen", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 })), fc.string({ maxLength: 3 }), (added, id) => {
        const seen = new SeenIds(8);
        for (const other of added) seen.add(seen.unseen([other]));
        assert.ok(added.includes(id) || seen.unseen([id]).size === 1);
        seen.add(seen.unseen([id]));
        assert.equal(seen.unseen([id]).size, 0);
      }),
    );
  });

  it("an id that is asked for twice is unseen once, and stays unseen until it is added", () => {
    const seen = new SeenIds();
    assert.equal(seen.unseen(["a", "b", "a"]).size, 2);
    assert.equal(seen.unseen(["a", "b", "a"]).size, 2);
  });
});
