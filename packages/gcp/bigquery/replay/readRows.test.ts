import assert from "node:assert/strict";
import type { ReplayEvent } from "@eventlogger/events/replayMessage";
import { FakeServer, type FakeAnswer, type FakeRequest } from "../../testing/fakeServer";
import { bigQueryClient } from "../client";
import { bytesToRead, readRows, type ReadOptions } from "./readRows";

const jobReference = { projectId: "p", jobId: "j", location: "EU" };

describe("readRows", () => {
  let server: FakeServer;
  let requests: FakeRequest[];
  /** The answers to requests for pages, in their order; the last one is repeated. */
  let pages: FakeAnswer[];

  const page = (fields: object): FakeAnswer => ({
    status: 200,
    body: { kind: "bigquery#getQueryResultsResponse", jobReference, jobComplete: true, ...fields },
  });
  // The second row is one of an earlier release.
  const row = (n: number): object => ({
    f: [`event ${n}`, "s", "view", "5", null, "6", ...(n === 1 ? ["a", "true"] : [null, null])].map((v) => ({ v })),
  });

  function answer(request: FakeRequest): FakeAnswer {
    requests.push(request);
    if (request.path.includes("/queries/")) {
      return pages.length > 1 ? (pages.shift() as FakeAnswer) : (pages[0] as FakeAnswer);
    }
    const statistics = { totalBytesProcessed: "1234", query: { totalBytesProcessed: "1234" } };
    return { status: 200, body: { kind: "bigquery#job", jobReference, status: { state: "DONE" }, statistics } };
  }

  before(async () => (server = await FakeServer.start([answer])));
  after(() => server.stop());
  beforeEach(() => (requests = []));

  const client = () => bigQueryClient({ project: "p", endpoint: server.url }, { autoRetry: false });
  async function read(options: Partial<ReadOptions> = {}): Promise<ReplayEvent[]> {
    const events: ReplayEvent[] = [];
    for await (const some of readRows(client(), "analytics", {}, { rows: 2, ...options })) events.push(...some);
    return events;
  }

  it("waits for the query, then reads its pages where the job runs, and reports the bytes that were read", async () => {
    pages = [page({ jobComplete: false }), page({ rows: [row(1)], pageToken: "next" }), page({ rows: [row(2)] })];
    let bytes = 0;
    const events = await read({ onBytesScanned: (scanned) => (bytes += scanned) });
    assert.deepEqual(
      events,
      [1, 2].map((n) => ({
        ...{
          event_id: `event ${n}`,
          session_id: "s",
          event_name: "view",
          event_time: 5,
          user_id: null,
          ...(n === 1 ? { anonymous_id: "a", is_bot: true } : { anonymous_id: null, is_bot: false }),
          received_at: 6,
        },
      })),
    );
    assert.equal(bytes, 1234);
    const queries = requests.filter(({ path }) => path.includes("/queries/"));
    assert.equal(queries.length, 3);
    assert(queries.every(({ query }) => query.get("location") === "EU"));
    assert.equal(queries[2]?.query.get("pageToken"), "next");
  });

  it("an error that repetition does not change ends the reading, and the query is cancelled", async () => {
    pages = [{ status: 404, body: { error: { code: 404, message: "the result has expired" } } }];
    await assert.rejects(read(), /the result has expired/);
    assert.equal(requests.filter(({ path }) => path.includes("/queries/")).length, 1);
    assert(requests.some(({ path, method }) => method === "POST" && path.endsWith("/cancel")));
  });

  it("the bytes to read come from a dry run, which reads nothing", async () => {
    assert.equal(await bytesToRead(client(), "analytics", { receivedFrom: "2026-01-01" }), 1234);
    assert.equal(requests.length, 1);
    assert.match(requests[0]?.body.toString() ?? "", /"dryRun":true/);
  });
});
