import assert from "node:assert/strict";
import { isPlaceholderId, PLACEHOLDER_IDS } from "./placeholderIds";

describe("isPlaceholderId", () => {
  it("isPlaceholderId recognises every placeholder in any case and between white space", () => {
    assert.equal(PLACEHOLDER_IDS.length, 12);
    for (const id of PLACEHOLDER_IDS) {
      for (const variant of [id, id.toUpperCase(), ` ${id}\u00a0`]) assert.ok(isPlaceholderId(variant), variant);
    }
    assert.ok(isPlaceholderId("[object Object]") && isPlaceholderId("NaN") && isPlaceholderId("   "));
  });

  it("isPlaceholderId accepts ids that only contain a placeholder", () => {
    for (const id of ["00", "-10", "nullable", "anonymous-1", "none none", "true@example.com", "1", "object", "é"]) {
      assert.equal(isPlaceholderId(id), false, id);
    }
  });
});
