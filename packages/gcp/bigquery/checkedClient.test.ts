import assert from "node:assert/strict";
import { setUpBigQuery } from "./setup/setUpBigQuery";
import { bigQueryClient } from "./client";
import { ForeignAnswerError } from "./checkedClient";
import { runQuery } from "./query";
import { FakeServer } from "../testing/fakeServer";

/** What a proxy may answer with status 200. */
const FOREIGN: Readonly<Record<string, unknown>> = {
  "an empty object": {},
  "a list": [],
  "a page of HTML": Buffer.from("<html>Please log in</html>"),
  "no body": Buffer.alloc(0),
  "an object of another API": { kind: "storage#object" },
};

describe("the BigQuery client behind a proxy that answers 200 itself", () => {
  let server: FakeServer;
  let body: unknown;
  before(async () => (server = await FakeServer.start([() => ({ status: 200, body })])));
  after(() => server.stop());

  for (const [name, answer] of Object.entries(FOREIGN)) {
    it(`a query and setup fail when ${name} comes instead of BigQuery's answer`, async () => {
      body = answer;
      const bigquery = bigQueryClient({ project: "p", endpoint: server.url });
      await assert.rejects(runQuery(bigquery, "SELECT 1"), ForeignAnswerError);
      await assert.rejects(setUpBigQuery(bigquery, { dataset: "d" }), /is not BigQuery's: .*Is there a proxy/);
    });
  }

  it("a query fails when only the answer with its rows is not BigQuery's", async () => {
    const jobReference = { projectId: "p", jobId: "j" };
    const job = { kind: "bigquery#job", jobReference, status: { state: "DONE" } };
    const bigquery = bigQueryClient({ project: "p", endpoint: server.url });
    body = job;
    const [created] = await bigquery.createQueryJob("SELECT 1");
    body = {};
    await assert.rejects(created.getQueryResults(), ForeignAnswerError);
  });
});
