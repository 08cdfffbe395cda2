import assert from "node:assert/strict";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { FakeServer } from "@eventlogger/gcp/testing/fakeServer";
import { insertAll, insertAllRow } from "./insertAll";
import { judgeRequestFailure } from "./requestFailure";

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

describe("insertAll", () => {
  let server: FakeServer;
  let body: unknown;
  before(async () => (server = await FakeServer.start([() => ({ status: 200, body })])));
  after(() => server.stop());
  const insert = (): ReturnType<typeof insertAll> => {
    const bigquery = bigQueryClient({ project: "p", endpoint: server.url }, { autoRetry: false });
    return insertAll(bigquery, { dataset: "d", table: "events" }, [insertAllRow({ a: 1 }, "id")], false);
  };

  it("insertAll returns no errors for BigQuery's answer, with or without a list of errors", async () => {
    body = { kind: "bigquery#tableDataInsertAllResponse" };
    assert.deepEqual(await insert(), []);
    body = { kind: "bigquery#tableDataInsertAllResponse", insertErrors: [] };
    assert.deepEqual(await insert(), []);
  });

  for (const [name, answer] of Object.entries({
    "an empty object": {},
    "a page of HTML": Buffer.from("<html>Please log in</html>"),
    "no body": Buffer.alloc(0),
    "an answer of BigQuery to another request": { kind: "bigquery#job" },
    "a list of errors in another form": { kind: "bigquery#tableDataInsertAllResponse", insertErrors: {} },
  })) {
    it(`insertAll fails, and its rows are sent again, when a proxy answers 200 with ${name}`, async () => {
      body = answer;
      const error: unknown = await insert().then(
        () => assert.fail("the rows counted as written"),
        (reason: unknown) => reason,
      );
      assert.match(String(error), /is not BigQuery's/);
      assert.equal(judgeRequestFailure(error), "retry");
    });
  }
});
