import assert from "node:assert/strict";
import { batchIds } from "./batchIds";

const BODY = Buffer.from('[{"type":"event"}]');

describe("batchIds", () => {
  it("batchIds returns a distinct UUIDv8 for each event", () => {
    const idOf = batchIds(BODY, "");
    const ids = Array.from({ length: 1000 }, (_, i) => idOf(i));
    assert.equal(new Set(ids).size, 1000);
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("batchIds returns the same ids for the same body and key", () => {
    for (const key of ["", "k"]) {
      assert.equal(batchIds(Buffer.from(BODY), key)(7), batchIds(Buffer.from(BODY), key)(7));
    }
  });

  it("batchIds returns other ids for another body and for another key", () => {
    const others = [batchIds(BODY, "a"), batchIds(BODY, "b"), batchIds(Buffer.concat([BODY, BODY]), "")];
    const ids = [batchIds(BODY, ""), ...others].map((idOf) => idOf(0));
    assert.equal(new Set(ids).size, 4);
    // All but the place of the index.
    assert.equal(new Set(ids.map((id) => id.slice(0, -4))).size, 4);
  });
});
