import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { RefusedToDeadLetter } from "./storageWrite";
import { toBeamRow } from "./beamRows";
import {
  tableByName,
  type DeadLetterRow,
  type EventRow,
  type TableName,
  type TableRows,
} from "@eventlogger/gcp/bigquery/tables";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/emulator";
import {
  startRecordingProxy,
  type Answer,
  type InsertRequest,
  type RecordingProxy,
} from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { WriteRows } from "./writeRows";

const TIME = "2024-05-01T00:00:00.000Z";
/** Cannot be a row: the emulator refuses it. */
const NO_TIME = "no time";

function eventRow(id: string, fields: Partial<EventRow> = {}): EventRow {
  return {
    event_id: id,
    session_id: "s",
    event_name: "view",
    event_time: TIME,
    event_date: TIME.slice(0, 10),
    user_id: null,
    page: null,
    country: null,
    region: null,
    city: null,
    properties: null,
    received_at: TIME,
    ...fields,
  };
}

const letter = (source: string, failed_at: string): DeadLetterRow => ({
  ...{ error_type: "not_json", error_message: "m", payload: `secret of ${source}`, payload_encoding: "utf8" },
  source,
  failed_at,
});
const version = (n: number, updated_at: string) => rollupVersion({ date: "2024-05-01", version: n, updated_at });

/** Of the tables whose rows no dead letter replaces: good rows, and one in their middle that BigQuery refuses. */
const WITH_REFUSED = {
  dead_letters: [letter("a", TIME), letter("b", NO_TIME), letter("c", TIME)],
  daily_rollup_versions: [version(1, TIME), version(2, NO_TIME), version(3, TIME)],
} satisfies Partial<{ readonly [T in TableName]: readonly TableRows[T][] }>;

const invalidRequest = (): Answer => ({
  status: 400,
  body: {
    error: { code: 400, message: "no such field: city", errors: [{ reason: "invalid", message: "no such field" }] },
  },
});
const invalidRows = ({ rows }: InsertRequest): Answer => ({
  status: 200,
  body: {
    insertErrors: rows.map((_, index) => ({ index, errors: [{ reason: "invalid", message: "no such field" }] })),
  },
});

describe("WriteRows", function () {
  this.timeout(60_000);
  const fixture = useBigQueryEmulator();
  let dataset: string;
  let proxy: RecordingProxy;
  let log: string[];
  const { warn, error } = console;

  beforeEach(async () => {
    dataset = await fixture.freshDataset();
    proxy = await startRecordingProxy(fixture.emulator.url);
    log = [];
    console.warn = console.error = (...texts: unknown[]) => void log.push(texts.join(" "));
  });
  afterEach(async () => {
    Object.assign(console, { warn, error });
    await proxy.stop();
  });

  function writeRows<T extends TableName>(table: T, retryForMs?: number): WriteRows<T> {
    return new WriteRows({ project: fixture.project, dataset, endpoint: proxy.url }, table, retryForMs);
  }

  /** Runs a bundle; returns its dead letters. */
  async function bundle<T extends TableName>(
    doFn: WriteRows<T>,
    rows: readonly TableRows[T][],
  ): Promise<DeadLetterRow[]> {
    const deadLetters: DeadLetterRow[] = [];
    for (const row of rows) await doFn.process(row, () => assert.fail("process emits nothing"));
    await doFn.finishBundle((deadLetter) => deadLetters.push(deadLetter));
    return deadLetters;
  }

  async function countOf(table: TableName): Promise<number> {
    const [row] = await runQuery(fixture.bigquery, `SELECT COUNT(*) AS n FROM ${dataset}.${table}`);
    return row?.number("n") ?? -1;
  }

  for (const [name, refusal] of Object.entries({
    "400 invalid": invalidRequest,
    "invalid for every row": invalidRows,
  })) {
    it(`writes every event and makes no dead letter after BigQuery answered ${name} for 2 seconds`, async () => {
      const until = performance.now() + 2000;
      proxy.answer = (request) => (performance.now() < until ? refusal(request) : undefined);
      const rows = Array.from({ length: 60 }, (_, i) => eventRow(`e-${i}`));
      assert.deepEqual(await bundle(writeRows("events"), rows), []);
      assert.equal(await countOf("events"), 60);
    });
  }

  it("makes a dead letter of an event row that BigQuery refuses while it accepts others", async () => {
    const refused = eventRow("refused", { received_at: NO_TIME });
    const [deadLetter, ...more] = await bundle(writeRows("events"), [eventRow("a"), refused, eventRow("b")]);
    assert.equal(deadLetter?.payload, JSON.stringify(refused));
    assert.equal(deadLetter.source, "table events");
    assert.match(deadLetter.error_type, /^row_refused: /);
    assert.deepEqual(more, []);
    assert.equal(await countOf("events"), 2);
  });

  it("fails the bundle of an event row that BigQuery refuses alone, and makes a dead letter of it with the next rows", async () => {
    const refused = eventRow("refused", { received_at: NO_TIME });
    await assert.rejects(bundle(writeRows("events", 1000), [refused]), /did not accept 1 row for table events/);
    // As after the redelivery of its message, together with others.
    assert.equal((await bundle(writeRows("events"), [refused, eventRow("a")])).length, 1);
    assert.equal(await countOf("events"), 1);
  });

  for (const table of ["dead_letters", "daily_rollup_versions"] as const) {
    it(`fails the bundle when BigQuery refuses one row of ${table}, and writes the others`, async () => {
      const doFn: WriteRows<TableName> = writeRows<TableName>(table, 1500);
      await assert.rejects(
        bundle(doFn, WITH_REFUSED[table]),
        new RegExp(`did not accept 1 row for table ${table} .*The bundle fails and its messages are redelivered`),
      );
      assert.equal(await countOf(table), 2);
      assert.ok(log.length > 0);
      assert.ok(!log.join().includes("secret"), "the row must not be logged");
    });

    it(`fails the bundle when BigQuery refuses every row of ${table}`, async () => {
      proxy.answer = invalidRows;
      const doFn: WriteRows<TableName> = writeRows<TableName>(table, 1500);
      await assert.rejects(
        bundle(doFn, WITH_REFUSED[table]),
        /did not accept 3 rows .*Last answer: invalid: no such field/,
      );
    });

    it(`fails the bundle when the Storage Write API refuses a row of ${table}`, () => {
      const [row] = WITH_REFUSED[table];
      const refused = { failed_row: toBeamRow(tableByName[table], row as object), error_message: "no such field" };
      assert.throws(
        () => new RefusedToDeadLetter(table).process(refused, () => assert.fail("nothing may be emitted")),
        {
          name: "RowRefusedError",
          message: /refused 1 row for table .* \(invalid: no such field\)\. The bundle fails/,
        },
      );
    });
  }

  it("stops retrying at once when the bundle fails elsewhere or the worker stops", async () => {
    proxy.answer = invalidRequest;
    const doFn = writeRows("events");
    const failed = assert.rejects(bundle(doFn, [eventRow("a")]), /discarded/);
    await sleep(1500);
    const start = performance.now();
    doFn.bundleFailed();
    await failed;
    assert.ok(performance.now() - start < 10_000);
    const { length } = proxy.inserts;
    await sleep(1500);
    assert.equal(proxy.inserts.length, length);
  });
});
