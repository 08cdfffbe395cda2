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
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import type { RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import {
  insertErrorsAnswer,
  startRecordingProxy,
  type Answer,
  type InsertRequest,
} from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";

const TABLE = "daily_rollup_versions";
const row = (version: number): RollupVersionRow => rollupVersion({ date: "2024-05-01", version });
/** An invalid row: the emulator answers 500 to any request that contains it. */
const poison = { ...row(-1), updated_at: "no time" };
const fast = { initialMs: 20, maxMs: 200 };

type SentRow = InsertRequest["rows"][number];
const isPoison = ({ json }: SentRow): boolean => json.version === poison.version;

function failure(code: number, reason: string): Answer {
  const message = `The request is refused: ${reason}`;
  return { status: code, body: { error: { code, message, errors: [{ reason, message }] } } };
}

/** BigQuery's answer to invalid rows: without `skipInvalidRows`, an invalid row stops the others. */
function invalidRows({ rows, skipInvalidRows }: InsertRequest, isInvalid: (row: SentRow) => boolean): Answer {
  const invalid = { reason: "invalid", location: "updated_at", message: "no such field: x" };
  const insertErrors = rows.flatMap((r, index) => {
    if (isInvalid(r)) return [{ index, errors: [invalid] }];
    return skipInvalidRows ? [] : [{ index, errors: [{ reason: "stopped", message: "" }] }];
  });
  return insertErrorsAnswer(insertErrors);
}

/** A way to refuse all requests, or those with the poisoned row. The emulator answers the others. */
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
    // The emulator also inserts the others when it skips invalid rows.
    poison: (request) =>
      request.rows.every(isPoison) || (request.rows.some(isPoison) && !request.skipInvalidRows)
        ? invalidRows(request, isPoison)
        : undefined,
  },
} satisfies Record<string, Refusal>;
const refusals: [string, Refusal][] = Object.entries(REFUSALS);
const failsOnPoison = REFUSALS["500"].poison;

describe("RowWriter", () => {
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

  /** The number of rows and of distinct versions in the table. */
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
    it("RowWriter sends at most maxBatchRows rows per request, each with its insertId", async () => {
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

    it("RowWriter sends at most maxBatchBytes per request, and a larger row alone", async () => {
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

    it("RowWriter sends no request without rows", async () => {
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
    it("RowWriter finds a refused row among valid ones and writes each of those once", async () => {
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

    it("RowWriter finds a refused row by bisection when the server fails every request that contains it", async () => {
      await throughProxy({}, failsOnPoison, async (target) => {
        await write(target, [...range(70), poison, ...range(100).slice(70)]);
        assert.deepEqual(
          (await target.flush()).map((f) => [f.insertId, f.reason]),
          [["id--1", "internalError"]],
        );
        const { rows, versions } = await counts();
        assert.equal(versions, 100);
        // An accepted row is sent again as a control.
        assert.ok(rows < 110, `${rows} rows`);
      });
    });

    it("RowWriter returns a refused row soon when others have been written since", async () => {
      await throughProxy({ maxBatchRows: 1 }, failsOnPoison, async (target) => {
        await write(target, [poison, ...range(20)]);
        assert.equal((await target.flush()).length, 1);
      });
    });

    for (const [name, { poison: fault }] of refusals) {
      it(`RowWriter writes all but the refused row when BigQuery answers ${name}`, async () => {
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

      it(`RowWriter rejects at the deadline when only refused rows are sent and BigQuery answers ${name}`, async () => {
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

      it(`RowWriter returns a refused row once another row is accepted and BigQuery answers ${name}`, async () => {
        await throughProxy({}, fault, async (target) => {
          await write(target, [poison]);
          let settled = false;
          const refused = target.flush().finally(() => (settled = true));
          await sleep(1000);
          assert.equal(settled, false, "no row was accepted yet");
          await write(target, [row(1)]);
          assert.deepEqual(await target.flush(), []);
          assert.deepEqual(
            (await refused).map((f) => f.insertId),
            ["id--1"],
          );
          assert.equal((await counts()).versions, 1);
        });
      });

      it(`RowWriter with refusedRows "fail" rejects when BigQuery answers ${name} to one row`, async () => {
        await throughProxy({ refusedRows: "fail", retryForMs: 1500 }, fault, async (target) => {
          await write(target, [...range(10), poison, ...range(20).slice(10)]);
          await assert.rejects(target.flush(), /did not accept \d+ rows? for table daily_rollup_versions/);
          assert.deepEqual(await counts(), { rows: 20, versions: 20 });
        });
      });
    }

    it("RowWriter ignores acceptances before the refusal when it judges a refused row", async () => {
      await throughProxy({ retryForMs: 1500 }, REFUSALS["200 with invalid rows"].poison, async (target) => {
        await write(target, range(20));
        assert.deepEqual(await target.flush(), []);
        await write(target, [poison]);
        await assert.rejects(target.flush(), RowsNotWrittenError);
      });
    });

    it("RowWriter returns a row that is too large for BigQuery without a request", async () => {
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

    it("RowWriter sends the rest of a request again when BigQuery names the invalid row", async () => {
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

    it("RowWriter finds a row that makes its request too large", async () => {
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

  describe("temporary refusal of every row", () => {
    for (const [name, { all }] of refusals) {
      it(`RowWriter writes every row and returns none as refused after 3 seconds of ${name}`, async () => {
        const until = performance.now() + 3000;
        const fault = (request: InsertRequest): Answer => (performance.now() < until ? all(request) : undefined);
        await throughProxy({ maxBatchRows: 10 }, fault, async (target, inserts) => {
          await write(target, range(40));
          assert.deepEqual(await target.flush(), []);
          assert.ok(performance.now() > until);
          // The control may be written again; BigQuery removes it by its insertId, the emulator does not.
          assert.equal((await counts()).versions, 40);
          assert.ok(inserts.length < 300, `${inserts.length} requests`);
        });
      });
    }

    // An answer that names the rows ends the bisection at once.
    for (const [name, { all, poison: ofPoison }] of refusals.filter(([, refusal]) => refusal.isOfWholeRequest)) {
      it(`RowWriter returns only the poisoned row when answers ${name} begin during the bisection`, async () => {
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

    it("RowWriter writes every row when one of two servers refuses all rows", async () => {
      const { all } = REFUSALS["200 with invalid rows"];
      // The servers alternate in long and short turns, from the first request on.
      const fault = (request: InsertRequest, nth: number): Answer =>
        nth < 60 && (nth % 2 || nth % 10 < 6) ? all(request) : undefined;
      await throughProxy({ maxBatchRows: 5 }, fault, async (target) => {
        await write(target, range(100));
        assert.deepEqual(await target.flush(), []);
        assert.equal((await counts()).versions, 100);
      });
    });

    it("RowWriter stops at once when its rows are discarded during a flush", async () => {
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

    it("RowWriter rejects when a proxy answers 200 with a page", async () => {
      const proxy = createServer((_, response) => response.end("<html>Sign in</html>")).listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const { port } = proxy.address() as AddressInfo;
      try {
        const target = writer({ endpoint: `http://127.0.0.1:${port}`, retryForMs: 500 });
        await write(target, range(3));
        await assert.rejects(target.flush(), /did not accept 3 rows .*is not BigQuery/);
      } finally {
        proxy.closeAllConnections();
        proxy.close();
      }
    });
  });

  describe("server failures", () => {
    it("RowWriter retries requests that a busy server rejected", async () => {
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

    it("RowWriter keeps its rows while the server fails every request", async () => {
      const started = Date.now();
      const down = (): Answer =>
        Date.now() - started < 2000 ? { status: 500, body: { error: { code: 500, message: "down" } } } : undefined;
      await throughProxy({ maxBatchRows: 10 }, down, async (target) => {
        await write(target, range(40));
        assert.deepEqual(await target.flush(), []);
        assert.deepEqual(await counts(), { rows: 40, versions: 40 });
      });
    });

    it("RowWriter rejects at once when a permission is missing, with BigQuery's message", async () => {
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
            /did not accept 1 row for table daily_rollup_versions \(1 attempt\)\. Last answer: \w+: Access Denied/,
          );
          return true;
        });
        assert.equal(inserts.length, 1);
      });
    });

    it("RowWriter waits for a server that hangs", async () => {
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
      assert.ok(waited > 0, "write must return a promise while no request succeeds");
      const { rows, versions } = await counts();
      assert.equal(versions, 300);
      assert.ok(rows >= 300); // after a timeout, rows are sent twice: the emulator ignores insertIds
    });

    it("RowWriter rejects after the deadline and stays usable", async () => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const target = writer({ endpoint, retryForMs: 1000 });
      await write(target, range(3));
      const start = Date.now();
      await assert.rejects(target.flush(), RowsNotWrittenError);
      assert.ok(Date.now() - start >= 900 && Date.now() - start < 30_000);
      assert.deepEqual(await target.flush(), []);
    });

    it("RowWriter rejects every call after abort", async () => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const target = writer({ endpoint });
      await write(target, range(3));
      const flushed = target.flush();
      setTimeout(() => target.abort(new Error("shutting down")), 200);
      await assert.rejects(flushed, /shutting down/);
      assert.throws(() => target.write(row(1), "1"), /shutting down/);
    });

    it("RowWriter does not write discarded rows", async () => {
      const target = writer();
      await write(target, range(3));
      target.discard();
      await write(target, [row(9)]);
      assert.deepEqual(await target.flush(), []);
      assert.deepEqual(await counts(), { rows: 1, versions: 1 });
    });
  });
});

describe("RowWriter and a killed server", () => {
  it("RowWriter writes every row after the server was killed and restarted", async () => {
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
