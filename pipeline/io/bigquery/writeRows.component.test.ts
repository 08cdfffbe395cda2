import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { RefusedToDeadLetter } from "./storageWrite";
import { toBeamRow } from "./beamRows";
import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import type { AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import { dayDelta, type DayVersion } from "@eventlogger/events/totals/totals";
import { tableByName, type EventRow, type TableName } from "@eventlogger/gcp/bigquery/tables";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import {
  insertErrorsAnswer,
  startRecordingProxy,
  type Answer,
  type InsertRequest,
  type RecordingProxy,
} from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { sinkRow, type SinkInputs } from "./sinkRows";
import { WriteRows } from "./writeRows";

const TIME_MS = Date.now();
const TIME = new Date(TIME_MS).toISOString();
/** Not a time: BigQuery refuses the row. */
const NO_TIME = "no time";
/** The year 275760, after the last one of a BigQuery TIMESTAMP: BigQuery refuses the row. */
const TOO_LATE_MS = 8.64e15;

function eventRow(id: string, fields: Partial<EventRow> = {}): EventRow {
  return {
    event_id: id,
    session_id: "s",
    event_name: "view",
    event_time: TIME,
    event_date: TIME.slice(0, 10),
    ...ABSENT_FIELDS,
    original_event_time: null,
    properties: null,
    received_at: TIME,
    received_date: TIME.slice(0, 10),
    ...fields,
  };
}

const letter = (source: string, failedAt: number): DeadLetter => ({
  ...{ errorType: "not_json", errorMessage: "m", payload: `secret of ${source}`, payloadEncoding: "utf8" },
  source,
  failedAt,
});
const version = (n: number, updatedAt: number): DayVersion => ({
  ...dayDelta(19_844),
  generation: 1,
  version: n,
  updatedAt,
});

/** The first day of the year 10000, after the last DATE of BigQuery, which refuses the row. */
const NO_DATE = 2_932_897;
const accepted = (day: number): AcceptedIds => ({ day, hashes: [1, 2], recordedAt: Date.now() });

/** For the tables whose rows no dead letter replaces: valid rows, with one in the middle that BigQuery refuses. */
const WITH_REFUSED = {
  dead_letters: [letter("a", TIME_MS), letter("b", TOO_LATE_MS), letter("c", TIME_MS)],
  daily_rollup_versions: [version(1, TIME_MS), version(2, TOO_LATE_MS), version(3, TIME_MS)],
  accepted_ids: [accepted(19_844), accepted(NO_DATE), accepted(19_845)],
} satisfies Partial<{ readonly [T in TableName]: readonly SinkInputs[T][] }>;

const invalidRequest = (): Answer => ({
  status: 400,
  body: {
    error: { code: 400, message: "no such field: city", errors: [{ reason: "invalid", message: "no such field" }] },
  },
});
const invalidRows = ({ rows }: InsertRequest): Answer =>
  insertErrorsAnswer(rows.map((_, index) => ({ index, errors: [{ reason: "invalid", message: "no such field" }] })));

describe("WriteRows", () => {
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

  /** Runs a bundle and returns its dead letters. */
  async function bundle<T extends TableName>(
    doFn: WriteRows<T>,
    inputs: readonly SinkInputs[T][],
  ): Promise<DeadLetter[]> {
    const deadLetters: DeadLetter[] = [];
    for (const input of inputs) await doFn.process(input, () => assert.fail("process emits nothing"));
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
    it(`WriteRows writes every event without a dead letter after BigQuery answered ${name} for 2 seconds`, async () => {
      const until = performance.now() + 2000;
      proxy.answer = (request) => (performance.now() < until ? refusal(request) : undefined);
      const rows = Array.from({ length: 60 }, (_, i) => eventRow(`e-${i}`));
      assert.deepEqual(await bundle(writeRows("events"), rows), []);
      assert.equal(await countOf("events"), 60);
    });
  }

  it("WriteRows emits a dead letter for an event row that BigQuery refuses while it accepts others", async () => {
    const refused = eventRow("refused", { received_at: NO_TIME });
    const [deadLetter, ...more] = await bundle(writeRows("events"), [eventRow("a"), refused, eventRow("b")]);
    assert.equal(deadLetter?.payload, JSON.stringify(refused));
    assert.equal(deadLetter.source, "table events");
    assert.match(deadLetter.errorType, /^row_refused: /);
    assert.deepEqual(more, []);
    assert.equal(await countOf("events"), 2);
  });

  it("WriteRows fails the bundle of an event row that BigQuery refuses alone, and emits its dead letter with later rows", async () => {
    const refused = eventRow("refused", { received_at: NO_TIME });
    await assert.rejects(bundle(writeRows("events", 1000), [refused]), /did not accept 1 row for table events/);
    // Its message is redelivered together with others.
    assert.equal((await bundle(writeRows("events"), [refused, eventRow("a")])).length, 1);
    assert.equal(await countOf("events"), 1);
  });

  for (const table of ["dead_letters", "daily_rollup_versions", "accepted_ids"] as const) {
    it(`WriteRows fails the bundle when BigQuery refuses one row of ${table}, and writes the others`, async () => {
      const doFn: WriteRows<TableName> = writeRows<TableName>(table, 1500);
      await assert.rejects(
        bundle(doFn, WITH_REFUSED[table]),
        new RegExp(`did not accept 1 row for table ${table} .*The bundle fails and its messages are redelivered`),
      );
      assert.equal(await countOf(table), 2);
      assert.ok(log.length > 0);
      assert.ok(!log.join().includes("secret"), "the row must not be logged");
    });

    it(`WriteRows fails the bundle when BigQuery refuses every row of ${table}`, async () => {
      proxy.answer = invalidRows;
      const doFn: WriteRows<TableName> = writeRows<TableName>(table, 1500);
      await assert.rejects(
        bundle(doFn, WITH_REFUSED[table]),
        /did not accept 3 rows .*Last answer: invalid: no such field/,
      );
    });

    it(`RefusedToDeadLetter fails the bundle when the Storage Write API refuses a row of ${table}`, () => {
      const rows = {
        dead_letters: () => sinkRow.dead_letters(letter("a", TIME_MS)),
        daily_rollup_versions: () => sinkRow.daily_rollup_versions(version(1, TIME_MS)),
        accepted_ids: () => sinkRow.accepted_ids(accepted(19_844)),
      };
      const row = rows[table]();
      const refused = { failed_row: toBeamRow(tableByName[table], row), error_message: "no such field" };
      assert.throws(
        () => new RefusedToDeadLetter(table).process(refused, () => assert.fail("nothing may be emitted")),
        {
          name: "RowRefusedError",
          message: /refused 1 row for table .* \(invalid: no such field\)\. The bundle fails/,
        },
      );
    });
  }

  it("WriteRows stops retrying at once when the bundle fails elsewhere or the worker stops", async () => {
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
