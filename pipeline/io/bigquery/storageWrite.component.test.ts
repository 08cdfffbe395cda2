import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { flatten, P, parDo, withName, type PCollection, type Root } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { impulse } from "apache-beam/transforms/internal";
import { applyAsync, pipe, splittableParDo, type AnyPTransform } from "@eventlogger/beam";
import { FlinkHarness } from "@eventlogger/beam/testing/flinkHarness";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { storageWrite, type StorageWriteOptions } from "./storageWrite";
import type { AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import { dayFromIso, dayOf, dayToIso } from "@eventlogger/events/day";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import type { RetentionVersion } from "@eventlogger/events/totals/retention";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { tableByName, type EventRow, type TableName } from "@eventlogger/gcp/bigquery/tables";
import type { SinkInputs } from "./sinkRows";
import { EmitRows, RowSource } from "./testing/emitRows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startJavaSinks, type JavaSinks } from "./testing/javaSinks";
import { writeRows } from "./writeRows";

type Rows = { readonly [T in TableName]: readonly SinkInputs[T][] };
type Sinks = { readonly [T in TableName]: AnyPTransform<PCollection<SinkInputs[T]>, DeadLetter> };

const TEXTS = [
  "",
  "plain",
  "Grüße, мир, 世界, 👩‍🚀, e\u0301",
  'quotes " \' ` and \\ and {"json": "in text"}',
  "lines\nand\ttabs\r\n\u0001",
  "x".repeat(50_000),
];
const NOW_MS = Date.now();
/** Around midnight, 1970, 2000, a leap day, and a second's fractions. */
const TIMES = [
  "1970-01-01T00:00:00.000Z",
  "1970-01-01T00:00:00.001Z",
  "1999-12-31T23:59:59.999Z",
  "2000-01-01T00:00:00.000Z",
  "2024-02-29T12:34:56.789Z",
  "2026-05-17T23:59:59.999Z",
  "2026-05-18T00:00:00.000Z",
];
/** Within the days of which BigQuery accepts streamed rows. */
const RECEIVED_DATES = [-1800, -1, 0, 1, 300].map((days) => dayToIso(dayOf(Date.now()) + days));
const JSONS = ["{}", '{"a":1,"b":[true,null,1.5e-7],"ü":"\\"👍\\"","c":{"d":{}}}', '{"n":9007199254740993}', null];
const DATES = [
  "0001-01-01",
  "1582-10-15",
  "1969-12-31",
  "1970-01-01",
  "1999-12-31",
  "2000-02-29",
  "2026-05-17",
  "9999-12-31",
];
const COUNTS = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 1_779_062_400_123, Number.MAX_SAFE_INTEGER];

const at = <T>(values: readonly T[], i: number): T => values[i % values.length] as T;

function eventRow(i: number): EventRow {
  const text = (n: number): string | null => (i % n === 0 ? null : at(TEXTS, i + n));
  const time = at(TIMES, i);
  return {
    event_id: `e-${i}`,
    session_id: at(TEXTS, i + 1),
    event_name: at(TEXTS, i),
    event_time: time,
    event_date: time.slice(0, 10),
    original_event_time: i % 5 === 0 ? null : at(TIMES, i + 2),
    user_id: text(2),
    anonymous_id: text(9),
    page: text(3),
    country: text(4),
    region: text(5),
    city: text(7),
    app: text(8),
    platform: text(10),
    referrer: text(11),
    browser: text(12),
    os: text(13),
    is_bot: i % 3 === 0,
    properties: at(JSONS, i),
    received_at: at(TIMES, i + 3),
    received_date: at(RECEIVED_DATES, i),
  };
}

function dayVersion(i: number): DayVersion {
  return {
    generation: i + 1,
    day: dayFromIso(at(DATES, i)) ?? assert.fail(),
    version: at(COUNTS, i),
    sessions: at(COUNTS, i + 1),
    durationMs: at(COUNTS, i + 2),
    activeUsers: i,
    newUsers: at(COUNTS, i + 4),
    anonymousUsers: at(COUNTS, i + 5),
    weeklyActiveChange: at(COUNTS, i + 6),
    monthlyActiveChange: at(COUNTS, i + 7),
    botSessions: at(COUNTS, i + 8),
    botUsers: at(COUNTS, i + 9),
    updatedAt: Date.parse(at(TIMES, i)),
  };
}

function retentionVersion(i: number): RetentionVersion {
  return {
    generation: i + 1,
    cohortWeek: dayFromIso(at(DATES, i)) ?? assert.fail(),
    weekOffset: i,
    persons: at(COUNTS, i),
    version: at(COUNTS, i + 1),
    updatedAt: Date.parse(at(TIMES, i)),
  };
}

function deadLetter(i: number): DeadLetter {
  return {
    errorType: "not_json",
    errorMessage: at(TEXTS, i),
    payload: at(TEXTS, i + 1),
    payloadEncoding: at(["utf8", "base64"] as const, i),
    source: `message ${i}`,
    failedAt: NOW_MS - i,
  };
}

function acceptedIds(i: number): AcceptedIds {
  const hashes = [i, 2 ** 48 - 1 - i];
  return { day: dayFromIso(at(DATES, i)) ?? assert.fail(), hashes, recordedAt: NOW_MS - i };
}

const range = <T>(n: number, row: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => row(i));

/** One row of each table is in it twice. */
const ROWS: Rows = {
  events: [...range(120, eventRow), eventRow(1)],
  daily_rollup_versions: [...range(60, dayVersion), dayVersion(1)],
  weekly_retention_versions: [...range(20, retentionVersion), retentionVersion(1)],
  dead_letters: [...range(40, deadLetter), deadLetter(1)],
  accepted_ids: [...range(20, acceptedIds), acceptedIds(1)],
};

/** Its properties are not JSON, as only a bug of this pipeline could write them: BigQuery refuses the row. */
const REFUSED: EventRow = { ...eventRow(5), event_id: "refused", properties: "{no json" };
/** BigQuery accepts no streamed rows of its partition. */
const TOO_OLD: EventRow = { ...eventRow(6), event_id: "too old", received_date: "2011-05-17" };
/** The refused rows are in the middle of a request, whose other rows must be written. */
const WITH_REFUSED: Rows = {
  ...ROWS,
  events: [...ROWS.events.slice(0, 50), REFUSED, TOO_OLD, ...ROWS.events.slice(50)],
};

type Read = <Row>(root: Root, name: string, rows: readonly Row[]) => PCollection<Row>;

const bounded: Read = <Row>(root: Root, name: string, rows: readonly Row[]) =>
  pipe(
    root,
    withName(name, (r: Root) => pipe(r, impulse(), withName("Emit", parDo(new EmitRows(rows))))),
  );

const unbounded: Read = <Row>(root: Root, name: string, rows: readonly Row[]) =>
  pipe(
    root,
    withName(name, (r: Root) =>
      pipe(r, impulse(), splittableParDo("Source", new RowSource(rows, 20), new GeneralObjectCoder<Row>())),
    ),
  );

/** Writes rows to each table, and refused rows to the dead letters. */
async function writeAll(root: Root, name: string, read: Read, rows: Rows, sinks: Sinks): Promise<void> {
  const refused = await applyAsync(read(root, `${name} Events`, rows.events), sinks.events);
  await applyAsync(read(root, `${name} Versions`, rows.daily_rollup_versions), sinks.daily_rollup_versions);
  await applyAsync(read(root, `${name} Retention`, rows.weekly_retention_versions), sinks.weekly_retention_versions);
  await applyAsync(read(root, `${name} AcceptedIds`, rows.accepted_ids), sinks.accepted_ids);
  const deadLetters = P([read(root, `${name} DeadLetters`, rows.dead_letters), refused]).apply(
    withName(`${name} AllDeadLetters`, flatten<DeadLetter>()),
  );
  await applyAsync(deadLetters, sinks.dead_letters);
}

describe("storageWrite", () => {
  const fixture = useBigQueryEmulator();
  let flink: FlinkHarness;
  let sinks: JavaSinks;

  before(async function () {
    this.timeout(600_000); // the first run builds the Java parts
    flink = new FlinkHarness();
    sinks = await startJavaSinks(fixture, flink);
  });
  after(async () => {
    await flink?.close();
    await sinks?.stop();
  });

  function portable(dataset: string): Sinks {
    const target = { project: fixture.project, dataset, endpoint: fixture.emulator.url };
    return {
      events: writeRows(`${dataset} events`, target, "events"),
      daily_rollup_versions: writeRows(`${dataset} versions`, target, "daily_rollup_versions"),
      weekly_retention_versions: writeRows(`${dataset} retention`, target, "weekly_retention_versions"),
      dead_letters: writeRows(`${dataset} dead letters`, target, "dead_letters"),
      accepted_ids: writeRows(`${dataset} accepted ids`, target, "accepted_ids"),
    };
  }

  function java(dataset: string, options: Omit<StorageWriteOptions, "expansionAddress">): Sinks {
    const target = { project: fixture.project, dataset };
    const all = { ...options, expansionAddress: sinks.address };
    return {
      events: storageWrite(`${dataset} events`, { ...target, table: "events" }, all),
      daily_rollup_versions: storageWrite(`${dataset} versions`, { ...target, table: "daily_rollup_versions" }, all),
      weekly_retention_versions: storageWrite(
        `${dataset} retention`,
        { ...target, table: "weekly_retention_versions" },
        all,
      ),
      dead_letters: storageWrite(`${dataset} dead letters`, { ...target, table: "dead_letters" }, all),
      accepted_ids: storageWrite(`${dataset} accepted ids`, { ...target, table: "accepted_ids" }, all),
    };
  }

  const where = (table: TableName): string =>
    table === "dead_letters" ? "WHERE NOT STARTS_WITH(error_type, 'row_refused')" : "";

  /** Rows of a table that another lacks or has less often, without dead letters of refused rows. */
  async function missing(table: TableName, from: string, to: string): Promise<string[]> {
    const columns = tableByName[table].columns.map(({ name, type }) =>
      // JSON can only be compared as text.
      type === "JSON" ? `TO_JSON_STRING(${name}) AS ${name}` : name,
    );
    const places = columns.map((_, i) => i + 1).join(", ");
    const counted = (dataset: string): string =>
      `SELECT ${columns.join(", ")}, COUNT(*) AS n FROM ${dataset}.${table} ${where(table)} GROUP BY ${places}`;
    const query = `SELECT TO_JSON_STRING(d) AS difference FROM (${counted(from)} EXCEPT DISTINCT ${counted(to)}) AS d`;
    return (await runQuery(fixture.bigquery, query)).map((row) => row.text("difference").slice(0, 300));
  }

  const TABLES = Object.keys(ROWS) as TableName[];
  const EXPECTED = Object.fromEntries(TABLES.map((table) => [table, ROWS[table].length]));

  async function counts(dataset: string): Promise<Record<string, number>> {
    const columns = TABLES.map((table) => `(SELECT COUNT(*) FROM ${dataset}.${table} ${where(table)}) AS ${table}`);
    const [row] = await runQuery(fixture.bigquery, `SELECT ${columns.join(", ")}`);
    return Object.fromEntries(TABLES.map((table) => [table, row?.number(table) ?? -1]));
  }

  async function assertSame(expected: string, actual: string, tables = TABLES): Promise<void> {
    for (const table of tables) {
      assert.deepEqual(await missing(table, expected, actual), [], `${table}: in ${expected}, not in ${actual}`);
      assert.deepEqual(await missing(table, actual, expected), [], `${table}: in ${actual}, not in ${expected}`);
    }
  }

  /** Asserts the dead letters of the refused rows. */
  async function assertRefused(dataset: string): Promise<void> {
    const query = `SELECT * FROM ${dataset}.dead_letters WHERE STARTS_WITH(error_type, 'row_refused') ORDER BY error_message`;
    const [row, tooOld, ...more] = await runQuery(fixture.bigquery, query);
    assert(tooOld && row);
    assert.equal(more.length, 0);
    assert.equal(tooOld.text("payload"), JSON.stringify(TOO_OLD));
    assert.match(tooOld.text("error_message"), /You can only stream to partitions of date range within 1825 days/);
    assert.equal(row.text("error_type"), "row_refused: invalid");
    assert.match(row.text("error_message"), /properties is not valid JSON/);
    // The same as the portable sink writes.
    assert.equal(row.text("payload"), JSON.stringify(REFUSED));
    assert.equal(row.text("payload_encoding"), "utf8");
    assert.equal(row.text("source"), "table events");
    const age = Date.now() - Date.parse(row.text("failed_at"));
    assert(age >= 0 && age < 240_000, `failed ${age} ms ago`);
  }

  /** The dataset that the portable sink wrote to in the first test. */
  let inserted: string;

  // First: after the other tests, Beam's sink waits three minutes before it reports a row that BigQuery refuses.
  /** Runs a job that writes rows, one of which BigQuery refuses. Nothing reads the output of the sink. */
  async function assertFails<T extends TableName>(
    table: T,
    dataset: string,
    rows: readonly SinkInputs[T][],
    semantics: StorageWriteOptions["semantics"],
  ): Promise<void> {
    const sink = storageWrite(
      "Write",
      { project: fixture.project, dataset, table },
      { semantics, expansionAddress: sinks.address },
    );
    const run = await flink.start((root) => applyAsync(bounded(root, "Rows", rows), sink));
    await assert.rejects(run.finished, (error: Error) => {
      assert.match(error.message, new RegExp(`BigQuery refused 1 row for table ${table} \\(invalid: `));
      assert.match(error.message, /You can only stream to partitions of date range/);
      return true;
    });
    await run.stop();
  }

  it("storageWrite fails the job when BigQuery refuses a dead letter", async () => {
    const tooOld = { ...deadLetter(0), failedAt: Date.parse("2011-05-17") };
    const dataset = await fixture.freshDataset();
    await assertFails("dead_letters", dataset, [deadLetter(1), tooOld, deadLetter(2)], "at-least-once");
  });

  it("storageWrite fails the job when BigQuery refuses a rollup version", async () => {
    const dataset = await fixture.freshDataset();
    // The layout of an earlier release, with which BigQuery refuses versions of old days.
    const table = fixture.bigquery.dataset(dataset).table("daily_rollup_versions");
    await table.delete();
    await table.create({
      schema: { fields: tableByName.daily_rollup_versions.columns.map((column) => ({ ...column })) },
      timePartitioning: { type: "DAY", field: "date" },
    });
    const versionOf = (day: number): DayVersion => ({ ...dayVersion(1), day });
    const today = dayOf(Date.now());
    const rows = [versionOf(today), versionOf(dayFromIso("2011-05-17") ?? assert.fail()), versionOf(today - 1)];
    await assertFails("daily_rollup_versions", dataset, rows, "exactly-once");
  });

  it("storageWrite writes the same rows as writeRows, at least once and exactly once", async () => {
    inserted = await fixture.freshDataset();
    const atLeastOnce = await fixture.freshDataset();
    const exactlyOnce = await fixture.freshDataset();
    const run = await flink.start(async (root) => {
      await writeAll(root, "Inserts", bounded, ROWS, portable(inserted));
      await writeAll(root, "AtLeast", bounded, WITH_REFUSED, java(atLeastOnce, { semantics: "at-least-once" }));
      await writeAll(root, "Exactly", bounded, WITH_REFUSED, java(exactlyOnce, { semantics: "exactly-once" }));
    });
    await run.finished;
    await run.stop();
    assert.deepEqual(await counts(inserted), EXPECTED);
    for (const dataset of [atLeastOnce, exactlyOnce]) {
      await assertSame(inserted, dataset);
      await assertRefused(dataset);
    }
  });

  it("storageWrite commits an unbounded stream while it runs, each row once", async () => {
    const dataset = await fixture.freshDataset();
    const options = { semantics: "exactly-once", triggeringFrequencySec: 1, numStreams: 1 } as const;
    const run = await flink.start(
      async (root) => {
        const events = unbounded(root, "Events", WITH_REFUSED.events);
        const refused = await applyAsync(events, java(dataset, options).events);
        return applyAsync(refused, portable(dataset).dead_letters);
      },
      { checkpointingInterval: 1000, checkpointDir: flink.file("checkpoints") },
    );
    const deadline = Date.now() + 150_000;
    // While the emulator commits rows, a query may return rows without columns; the next attempt is right.
    const writtenEvents = async (): Promise<unknown> => (await counts(dataset).catch(() => undefined))?.["events"];
    while ((await writtenEvents()) !== ROWS.events.length) {
      assert(Date.now() < deadline, "not all rows were written before the deadline");
      await Promise.race([sleep(500), run.finished]);
    }
    await sleep(2000); // no further row may arrive
    await assertSame(inserted, dataset, ["events"]);
    await assertRefused(dataset);
    await run.stop();
  });
});
