import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBigQueryEmulator } from "@eventlogger/gcp/emulators/emulators";
import { freePort } from "@eventlogger/process/ports";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { RowsNotWrittenError, RowWriter, type RetryNotice, type RowWriterOptions } from "./rowWriter";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup";
import type { RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/emulator";
import { startRecordingProxy, type Answer, type InsertRequest } from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";

const TABLE = "daily_rollup_versions";
const row = (version: number): RollupVersionRow => rollupVersion({ date: "2024-05-01", version });
/** Cannot be a row: the emulator answers 500 to any request that holds it. */
const poison = { ...row(-1), updated_at: "no time" };
const fast = { initialMs: 20, maxMs: 200 };

type SentRow = InsertRequest["rows"][number];
const isPoison = ({ json }: SentRow): boolean => json.version === poison.version;

function failure(code: number, reason: string): Answer {
  const message = `The request is refused: ${reason}`;
  return { status: code, body: { error: { code, message, errors: [{ reason, message }] } } };
}

/** As BigQuery answers: without `skipInvalidRows`, an invalid row stops the others. */
function invalidRows({ rows, skipInvalidRows }: InsertRequest, isInvalid: (row: SentRow) => boolean): Answer {
  const invalid = { reason: "invalid", location: "updated_at", message: "no such field: x" };
  const insertErrors = rows.flatMap((r, index) => {
    if (isInvalid(r)) return [{ index, errors: [invalid] }];
    return skipInvalidRows ? [] : [{ index, errors: [{ reason: "stopped", message: "" }] }];
  });
  return { status: 200, body: { insertErrors } };
}

/** A way to refuse: every request, or those that hold the poison. The emulator answers the others. */
interface Refusal {
  readonly isOfWholeRequest: boolean;
  readonly all: (request: InsertRequest) => Answer;
  readonly poison: (request: InsertRequest) => Answer;
}

function wholeRequest(code: number, reason: string): Refusal {
  const all = (): Answer => failure(code, reason);
  return { isOfWholeRequest: true, all, poison: ({ rows }) => (rows.some(isPoison) ? all() : undefined) };
}

const REFUSALS = {
  "400 invalid": wholeRequest(400, "invalid"),
  "413": wholeRequest(413, "uploadTooLarge"),
  "500": wholeRequest(500, "internalError"),
  "200 with invalid rows": {
    isOfWholeRequest: false,
    all: (request) => invalidRows(request, () => true),
    // The emulator, too, inserts the others when it skips invalid rows.
    poison: (request) =>
      request.rows.every(isPoison) || (request.rows.some(isPoison) && !request.skipInvalidRows)
        ? invalidRows(request, isPoison)
        : undefined,
  },
} satisfies Record<string, Refusal>;
const refusals: [string, Refusal][] = Object.entries(REFUSALS);
const stumbles = REFUSALS["500"].poison;

describe("RowWriter", function () {
  this.timeout(60_000);
  const fixture = useBigQueryEmulator();
  let dataset: string;
  beforeEach(async () => (dataset = await fixture.freshDataset()));

  function writer(options: Partial<RowWriterOptions> = {}): RowWriter<RollupVersionRow> {
    const { project } = fixture;
    const endpoint = fixture.emulator.url;
    return new RowWriter({ project, endpoint, dataset, table: TABLE, backoff: fast, ...options });
  }

  async function write(target: RowWriter<RollupVersionRow>, rows: RollupVersionRow[]): Promise<void> {
    for (const r of rows) await target.write(r, `id-${r.version}`);
  }

  /** How many rows there are, and how many different ones. */
  async function counts(client = fixture.bigquery): Promise<{ rows: number; versions: number }> {
    const [result] = await runQuery(
      client,
      `SELECT COUNT(*) AS n, COUNT(DISTINCT version) AS v FROM ${dataset}.${TABLE}`,
    );
    assert.ok(result);
    return { rows: result.number("n"), versions: result.number("v") };
  }

  const range = (n: number): RollupVersionRow[] => Array.from({ length: n }, (_, i) => row(i));

  async function throughProxy(
    options: Partial<RowWriterOptions>,
    answer: (request: InsertRequest, nth: number) => Answer,
    use: (target: RowWriter<RollupVersionRow>, inserts: InsertRequest[]) => Promise<void>,
  ): Promise<void> {
    const proxy = await startRecordingProxy(fixture.emulator.url);
    proxy.answer = answer;
    try {
      await use(writer({ endpoint: proxy.url, ...options }), proxy.inserts);
    } finally {
      await proxy.stop();
    }
  }

  describe("batches", () => {
    it("hold at most the given number of rows, each with its insertId", async () => {
      await throughProxy(
        { maxBatchRows: 100 },
        () => undefined,
        async (target, inserts) => {
          await write(target, range(250));
          assert.deepEqual(await target.flush(), []);
          assert.deepEqual(inserts.map((i) => i.rows.length).sort(), [100, 100, 50]);
          const sent = inserts.flatMap((i) => i.rows);
          assert.ok(sent.every((r) => r.insertId === `id-${r.json.version as number}`));
          assert.deepEqual(await counts(), { rows: 250, versions: 250 });
        },
      );
    });

    it("hold at most the given number of bytes; a row that is larger goes alone", async () => {
      const bytesOfRow = JSON.stringify({ insertId: "id-1", json: row(1) }).length;
      await throughProxy(
        { maxBatchBytes: 3 * bytesOfRow },
        () => undefined,
        async (target, inserts) => {
          await write(target, [1, 2, 3, 4, 5].map(row));
          await target.flush();
          assert.deepEqual(inserts.map((i) => i.rows.length).sort(), [2, 3]);
        },
      );
      await throughProxy(
        { maxBatchBytes: bytesOfRow - 1 },
        () => undefined,
        async (target, inserts) => {
          await write(target, [6, 7].map(row));
          await target.flush();
          assert.deepEqual(
            inserts.map((i) => i.rows.length),
            [1, 1],
          );
        },
      );
      assert.deepEqual(await counts(), { rows: 7, versions: 7 });
    });

    it("sends nothing when there are no rows", async () => {
      await throughProxy(
        {},
        () => undefined,
        async (target, inserts) => {
          assert.deepEqual(await target.flush(), []);
          assert.equal(inserts.length, 0);
        },
      );
    });
  });

  describe("refused rows", () => {
    it("are found among good ones, which are all written once", async () => {
      const target = writer();
      await write(target, [...range(300), poison, ...range(600).slice(300)]);
      const failed = await target.flush();
      assert.deepEqual(
        failed.map((f) => [f.row, f.insertId]),
        [[poison, "id--1"]],
      );
      assert.ok(failed[0]?.reason && failed[0].message);
      assert.deepEqual(await counts(), { rows: 600, versions: 600 });
    });

    it("are found by halves where the server fails every request that holds one", async () => {
      await throughProxy({}, stumbles, async (target) => {
        await write(target, [...range(70), poison, ...range(100).slice(70)]);
        assert.deepEqual(
          (await target.flush()).map((f) => [f.insertId, f.reason]),
          [["id--1", "internalError"]],
        );
        const { rows, versions } = await counts();
        assert.equal(versions, 100);
        // A row that was accepted is sent again to see whether the table still accepts rows.
        assert.ok(rows < 110, `${rows} rows`);
      });
    });

    it("are known soon when others have been written since", async () => {
      await throughProxy({ maxBatchRows: 1 }, stumbles, async (target) => {
        await write(target, [poison, ...range(20)]);
        assert.equal((await target.flush()).length, 1);
      });
    });

    for (const [name, { poison: fault }] of refusals) {
      it(`are the only ones that are not written when BigQuery answers ${name}`, async () => {
        for (const at of [0, 37, 99]) {
          dataset = await fixture.freshDataset();
          await throughProxy({}, fault, async (target) => {
            await write(target, [...range(100).slice(0, at), poison, ...range(100).slice(at)]);
            assert.deepEqual(
              (await target.flush()).map((f) => f.insertId),
              ["id--1"],
            );
            assert.equal((await counts()).versions, 100);
          });
        }
      });

      it(`fail the flush at the deadline when nothing else is written and BigQuery answers ${name}`, async () => {
        const notices: RetryNotice[] = [];
        const onRetry = (notice: RetryNotice): number => notices.push(notice);
        await throughProxy({ retryForMs: 1500, onRetry }, fault, async (target, inserts) => {
          await write(target, [poison]);
          const start = performance.now();
          await assert.rejects(target.flush(), (error: Error) => {
            assert.ok(error instanceof RowsNotWrittenError);
            assert.match(
              error.message,
              /^BigQuery did not accept 1 row for table daily_rollup_versions \(\d+ attempts\)/,
            );
            assert.match(error.message, /Last answer: \w+: .+\. The bundle fails and its messages are redelivered$/);
            return true;
          });
          assert.ok(performance.now() - start >= 1400);
          assert.ok(inserts.length <= 40, `${inserts.length} requests`);
          assert.ok(notices.length >= 5 && notices.every((notice) => notice.delayMs > 0));
        });
      });

      it(`are reported once another row of the table is accepted and BigQuery answers ${name}`, async () => {
        await throughProxy({}, fault, async (target) => {
          await write(target, [poison]);
          let settled = false;
          const refused = target.flush().finally(() => (settled = true));
          await sleep(1000);
          assert.equal(settled, false, "nothing was accepted yet");
          await write(target, [row(1)]);
          assert.deepEqual(await target.flush(), []);
          assert.deepEqual(
            (await refused).map((f) => f.insertId),
            ["id--1"],
          );
          assert.equal((await counts()).versions, 1);
        });
      });

      it(`fail the flush when they must not be reported and BigQuery answers ${name}`, async () => {
        await throughProxy({ refusedRows: "fail", retryForMs: 1500 }, fault, async (target) => {
          await write(target, [...range(10), poison, ...range(20).slice(10)]);
          await assert.rejects(target.flush(), /did not accept \d+ rows? for table daily_rollup_versions/);
          assert.deepEqual(await counts(), { rows: 20, versions: 20 });
        });
      });
    }

    it("are not known by what was accepted before they were refused", async () => {
      await throughProxy({ retryForMs: 1500 }, REFUSALS["200 with invalid rows"].poison, async (target) => {
        await write(target, range(20));
        assert.deepEqual(await target.flush(), []);
        await write(target, [poison]);
        await assert.rejects(target.flush(), RowsNotWrittenError);
      });
    });

    it("are known without a request when they are larger than BigQuery accepts", async () => {
      const large = { ...row(-1), updated_at: "x".repeat(10 * 1024 * 1024) };
      await throughProxy(
        {},
        () => undefined,
        async (target, inserts) => {
          await write(target, [large, ...range(3)]);
          const [failed, ...more] = await target.flush();
          assert.deepEqual([failed?.insertId, failed?.reason, more.length], ["id--1", "rowTooLarge", 0]);
          assert.match(failed?.message ?? "", /^The row has \d{8} bytes; BigQuery accepts up to 10485760$/);
          assert.deepEqual(
            inserts.map((i) => i.rows.length),
            [3],
          );
        },
      );
    });

    it("are named by BigQuery, which stops the rest of the request", async () => {
      await throughProxy({}, REFUSALS["200 with invalid rows"].poison, async (target, inserts) => {
        await write(target, [...range(3), poison, ...range(5).slice(3)]);
        assert.deepEqual(
          (await target.flush()).map((f) => f.insertId),
          ["id--1"],
        );
        assert.deepEqual(
          inserts.map((i) => [i.rows.length, i.skipInvalidRows ?? false]),
          [
            [6, false],
            [6, true],
          ],
        );
        assert.deepEqual(await counts(), { rows: 5, versions: 5 });
      });
    });

    it("may be what makes the request as a whole too large", async () => {
      const tooLarge = ({ rows }: InsertRequest): Answer =>
        rows.some((r) => r.json.version === 7)
          ? { status: 413, body: { error: { code: 413, message: "Request Entity Too Large" } } }
          : undefined;
      await throughProxy({}, tooLarge, async (target) => {
        await write(target, range(20));
        assert.deepEqual(
          (await target.flush()).map((f) => f.insertId),
          ["id-7"],
        );
        assert.equal((await counts()).versions, 19);
      });
    });
  });

  describe("when BigQuery refuses every row for a while", () => {
    for (const [name, { all }] of refusals) {
      it(`writes every row and reports none as refused after answers ${name}`, async () => {
        const until = performance.now() + 3000;
        const fault = (request: InsertRequest): Answer => (performance.now() < until ? all(request) : undefined);
        await throughProxy({ maxBatchRows: 10 }, fault, async (target, inserts) => {
          await write(target, range(40));
          assert.deepEqual(await target.flush(), []);
          assert.ok(performance.now() > until);
          assert.deepEqual(await counts(), { rows: 40, versions: 40 });
          assert.ok(inserts.length < 300, `${inserts.length} requests`);
        });
      });
    }

    // An answer that names the rows ends the search at once.
    for (const [name, { all, poison: ofPoison }] of refusals.filter(([, refusal]) => refusal.isOfWholeRequest)) {
      it(`reports only the poisoned row when answers ${name} begin while it is looked for`, async () => {
        let until = Infinity;
        let accepted = false;
        const fault = (request: InsertRequest): Answer => {
          const answer = ofPoison(request);
          if (accepted) return performance.now() < until ? all(request) : answer;
          if (answer) return answer;
          accepted = true;
          until = performance.now() + 3000;
          return undefined;
        };
        await throughProxy({}, fault, async (target) => {
          await write(target, [...range(20), poison, ...range(40).slice(20)]);
          assert.deepEqual(
            (await target.flush()).map((f) => f.insertId),
            ["id--1"],
          );
          assert.ok(performance.now() > until);
          assert.equal((await counts()).versions, 40);
        });
      });
    }

    it("writes every row when one of two servers refuses all of its rows", async () => {
      const { all } = REFUSALS["200 with invalid rows"];
      // In long turns and in short ones, from the first request on.
      const fault = (request: InsertRequest, nth: number): Answer =>
        nth < 60 && (nth % 2 || nth % 10 < 6) ? all(request) : undefined;
      await throughProxy({ maxBatchRows: 5 }, fault, async (target) => {
        await write(target, range(100));
        assert.deepEqual(await target.flush(), []);
        assert.equal((await counts()).versions, 100);
      });
    });

    it("stops at once when its rows are discarded while flush waits", async () => {
      const backoff = { initialMs: 30_000, maxMs: 30_000 };
      await throughProxy({ backoff }, REFUSALS["400 invalid"].all, async (target, inserts) => {
        await write(target, range(5));
        const flushed = target.flush();
        const rejected = assert.rejects(flushed, /The rows were discarded/);
        while (inserts.length === 0) await sleep(20);
        const start = performance.now();
        const { length } = inserts;
        assert.ok(length > 0);
        target.discard();
        await rejected;
        assert.ok(performance.now() - start < 10_000);
        await sleep(500);
        assert.equal(inserts.length, length);
      });
    });

    it("fails the flush when a proxy answers 200 with a page", async () => {
      const proxy = createServer((_, response) => response.end("<html>Sign in</html>")).listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const { port } = proxy.address() as AddressInfo;
      try {
        const target = writer({ endpoint: `http://127.0.0.1:${port}`, retryForMs: 500 });
        await write(target, range(3));
        await assert.rejects(target.flush(), /did not accept 3 rows .*not a JSON object/);
      } finally {
        proxy.closeAllConnections();
        proxy.close();
      }
    });
  });

  describe("when the server is in trouble", () => {
    it("sends again what a busy server turned away", async () => {
      const statuses = [503, 429, 500, 502];
      const busy = (_: InsertRequest, nth: number): Answer => {
        const status = statuses[nth - 1];
        return status ? { status, body: { error: { code: status, message: "busy" } } } : undefined;
      };
      const notices: RetryNotice[] = [];
      await throughProxy({ onRetry: (notice) => notices.push(notice) }, busy, async (target) => {
        await write(target, range(10));
        assert.deepEqual(await target.flush(), []);
        assert.deepEqual(await counts(), { rows: 10, versions: 10 });
        assert.deepEqual(
          notices.map((n) => [n.attempt, n.table, n.rows]),
          [1, 2, 3, 4].map((attempt) => [attempt, TABLE, 10]),
        );
      });
    });

    it("keeps the rows when it fails everything for a while", async () => {
      const started = Date.now();
      const down = (): Answer =>
        Date.now() - started < 2000 ? { status: 500, body: { error: { code: 500, message: "down" } } } : undefined;
      await throughProxy({ maxBatchRows: 10 }, down, async (target) => {
        await write(target, range(40));
        assert.deepEqual(await target.flush(), []);
        assert.deepEqual(await counts(), { rows: 40, versions: 40 });
      });
    });

    it("gives up at once where a permission is missing, and says so", async () => {
      const denied = (): Answer => ({
        status: 403,
        body: {
          error: {
            code: 403,
            message: "Access Denied: t",
            errors: [{ reason: "accessDenied", message: "Access Denied: t" }],
          },
        },
      });
      await throughProxy({}, denied, async (target, inserts) => {
        await write(target, [row(1)]);
        await assert.rejects(target.flush(), (error: Error) => {
          assert.ok(error instanceof RowsNotWrittenError);
          assert.match(
            error.message,
            /did not accept 1 row for table daily_rollup_versions \(1 attempt\)\. Last answer: Access Denied/,
          );
          return true;
        });
        assert.equal(inserts.length, 1);
      });
    });

    it("waits for a server that hangs", async () => {
      const { pid } = fixture.emulator.process;
      const target = writer({ maxBatchRows: 50, requestTimeoutMs: 1000, maxInFlight: 2 });
      process.kill(pid, "SIGSTOP");
      let waited = 0;
      let flushed: Promise<unknown>;
      try {
        const writes = (async () => {
          for (const r of range(300)) {
            const wait = target.write(r, `id-${r.version}`);
            if (wait) waited++;
            await wait;
          }
        })();
        flushed = writes.then(() => target.flush());
        await sleep(2500);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      assert.deepEqual(await flushed, []);
      assert.ok(waited > 0, "write must make the caller wait while nothing gets through");
      const { rows, versions } = await counts();
      assert.equal(versions, 300);
      assert.ok(rows >= 300); // an answer that came too late: the emulator does not know insertIds
    });

    it("rejects after the deadline, and can be used again", async () => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const target = writer({ endpoint, retryForMs: 1000 });
      await write(target, range(3));
      const start = Date.now();
      await assert.rejects(target.flush(), RowsNotWrittenError);
      assert.ok(Date.now() - start >= 900 && Date.now() - start < 30_000);
      assert.deepEqual(await target.flush(), []);
    });

    it("is over when aborted", async () => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const target = writer({ endpoint });
      await write(target, range(3));
      const flushed = target.flush();
      setTimeout(() => target.abort(new Error("shutting down")), 200);
      await assert.rejects(flushed, /shutting down/);
      assert.throws(() => target.write(row(1), "1"), /shutting down/);
    });

    it("forgets rows on request", async () => {
      const target = writer();
      await write(target, range(3));
      target.discard();
      await write(target, [row(9)]);
      assert.deepEqual(await target.flush(), []);
      assert.deepEqual(await counts(), { rows: 1, versions: 1 });
    });
  });
});

describe("RowWriter and a server that is killed", function () {
  this.timeout(60_000);

  it("writes every row once the server is back", async () => {
    const dir = mkdtempSync(join(tmpdir(), "killed-"));
    const options = { dataDir: join(dir, "data"), logFile: join(dir, "log"), port: await freePort() };
    const first = await startBigQueryEmulator(options);
    const connection = { project: "demo-project", endpoint: first.url };
    const client = bigQueryClient(connection);
    await setUpBigQuery(client, { dataset: "d" });
    const target = new RowWriter<RollupVersionRow>({
      ...connection,
      dataset: "d",
      table: TABLE,
      maxBatchRows: 20,
      backoff: fast,
    });
    const write = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await target.write(row(i), `id-${i}`);
    };
    await write(0, 100);
    await target.flush();
    await write(100, 200);
    process.kill(first.process.pid, "SIGKILL");
    await first.process.exited;
    const rest = write(200, 300).then(() => target.flush());
    await sleep(1500);
    const second = await startBigQueryEmulator(options);
    try {
      assert.deepEqual(await rest, []);
      const [result] = await runQuery(client, `SELECT COUNT(DISTINCT version) AS v FROM d.${TABLE}`);
      assert.equal(result?.number("v"), 300);
    } finally {
      await second.stop();
      rmSync(dir, { recursive: true });
    }
  });
});
