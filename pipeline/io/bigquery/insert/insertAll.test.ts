import assert from "node:assert/strict";
import { insertAllRow } from "./insertAll";

describe("insertAllRow", () => {
  const idOf = (id: string): string => (JSON.parse(insertAllRow({}, id)) as { insertId: string }).insertId;

  it("insertAllRow keeps the row and its id unchanged", () => {
    const row = { a: 'q"uote', b: null, c: "\u{1f680}" };
    assert.deepEqual(JSON.parse(insertAllRow(row, 'i"d')), { insertId: 'i"d', json: row });
    assert.equal(idOf("x".repeat(128)), "x".repeat(128));
  });

  it("insertAllRow hashes ids that are too long for BigQuery, the same way every time", () => {
    const long = "é".repeat(65); // 130 bytes
    assert.ok(Buffer.byteLength(idOf(long)) <= 128);
    assert.equal(idOf(long), idOf(long));
    assert.notEqual(idOf(long), idOf(`${long}x`));
  });
});
