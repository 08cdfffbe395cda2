import assert from "node:assert/strict";
import { FakeServer, type FakeAnswer, type FakeRequest } from "../../testing/fakeServer";
import { bigQueryClient } from "../client";
import { MeteredQueries } from "./meteredQueries";

const jobReference = { projectId: "p", jobId: "j" };

describe("MeteredQueries", () => {
  let server: FakeServer;
  let totalBytesProcessed: string;

  function answer({ method, path }: FakeRequest): FakeAnswer {
    if (path.includes("/queries/")) {
      return {
        status: 200,
        body: {
          ...{ kind: "bigquery#getQueryResultsResponse", jobReference, jobComplete: true, totalRows: "1" },
          schema: { fields: [{ name: "n", type: "INTEGER" }] },
          rows: [{ f: [{ v: "7" }] }],
        },
      };
    }
    // BigQuery reports the bytes when the job is done.
    const statistics = method === "GET" ? { query: { totalBytesProcessed } } : {};
    return { status: 200, body: { kind: "bigquery#job", jobReference, status: { state: "DONE" }, statistics } };
  }

  before(async () => (server = await FakeServer.start([answer])));
  after(() => server.stop());

  it("adds up the bytes that BigQuery reports for each query, and knows when none are reported", async () => {
    const queries = new MeteredQueries(bigQueryClient({ project: "p", endpoint: server.url }));
    totalBytesProcessed = "0";
    const [row] = await queries.run("SELECT 7 AS n");
    assert.equal(row?.number("n"), 7);
    assert.equal(queries.bytesScanned, undefined);
    totalBytesProcessed = "1500000000";
    await queries.run("SELECT 7 AS n");
    await queries.run("SELECT @n AS n", { n: 7 });
    assert.equal(queries.bytesScanned, 3_000_000_000);
  });
});
