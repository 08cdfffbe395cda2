import assert from "node:assert/strict";
import { eventIdHash, hashToHex, SAMPLE_SIZE, shardOfHash } from "@eventlogger/events/accepted/acceptedIds";
import { createDeadLetter } from "@eventlogger/events/deadLetter";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { recordGeneration } from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import type { TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset, type Verification, type VerifyOptions } from "@eventlogger/gcp/bigquery/verify/verify";
import { Computations } from "../../testing/computations";
import { computedRows } from "../../testing/computedRows";
import { eventRow } from "./eventRow";
import { deadLetterOfRefusedRow } from "./refusedRow";
import { acceptedIdsRow, deadLetterRow } from "./sinkRows";

const GAP_MS = 30 * 60_000;
const MINUTE = 60_000;
const DAY = Date.parse("2024-05-01T10:00:00Z");
const NEXT_DAY = Date.parse("2024-05-02T10:00:00Z");
/** Within the days of which BigQuery accepts streamed rows; the day of the test's clock is later. */
const RECEIVED = Date.parse(new Date(Date.now() - 10 * 86_400_000).toISOString().slice(0, 10));
const isoDate = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Two sessions of five events each, a minute apart, on two days; received one day apart. */
const EVENTS = [DAY, NEXT_DAY].flatMap((start, day) =>
  Array.from({ length: 5 }, (_, i) =>
    event({
      event_id: `${day}-${i}`,
      session_id: `s${day}`,
      user_id: "u",
      event_time: start + i * MINUTE,
      received_at: RECEIVED + day * 86_400_000,
    }),
  ),
);

describe("verifyDataset, record of accepted events", () => {
  const fixture = useBigQueryEmulator();
  let dataset: string;
  beforeEach(async () => (dataset = await fixture.freshDataset()));

  async function insert<T extends TableName>(table: T, rows: TableRows[T][]): Promise<void> {
    for (let i = 0; i < rows.length; i += 500) {
      await fixture.bigquery
        .dataset(dataset)
        .table(table)
        .insert(rows.slice(i, i + 500));
    }
  }

  /** Writes what the pipeline writes for events. */
  async function write(
    events: readonly AnalyticsEvent[],
    { raw = events, computations = new Computations(GAP_MS) } = {},
  ): Promise<void> {
    const rows = await computedRows(events, computations);
    await insert("events", raw.map(eventRow));
    await insert("daily_rollup_versions", rows.daily_rollup_versions);
    await insert("weekly_retention_versions", rows.weekly_retention_versions);
    await insert("accepted_ids", rows.accepted_ids);
  }

  const verify = (options: Partial<VerifyOptions> = {}): Promise<Verification> =>
    verifyDataset(fixture.bigquery, { dataset, ...options });

  const lose = async (...ids: string[]): Promise<void> => {
    const list = ids.map((id) => `'${id}'`).join(", ");
    await runQuery(fixture.bigquery, `DELETE FROM ${dataset}.events WHERE event_id IN (${list})`);
  };

  it("verify names the days whose raw events in the middle of sessions are lost, which changes no sum", async () => {
    await write(EVENTS);
    const exact = await verify();
    assert.deepEqual([exact.isEqual, exact.equalDays, exact.record.recorded], [true, 2, 10]);
    await lose("0-2", "1-1", "1-3");
    const { isEqual, differences, record } = await verify();
    assert.equal(isEqual, false);
    assert.deepEqual(differences, []);
    const hashes = (...ids: string[]): string[] => ids.map((id) => hashToHex(eventIdHash(id))).sort();
    assert.deepEqual(record.missing, [
      {
        ...{ date: "2024-05-01", recorded: 5, missing: 1, refused: 0, refusedIds: [] },
        untracedHashes: hashes("0-2"),
      },
      {
        ...{ date: "2024-05-02", recorded: 5, missing: 2, refused: 0, refusedIds: [] },
        untracedHashes: hashes("1-1", "1-3"),
      },
    ]);
  });

  it("verify finds nothing when events were redelivered, and when the state was lost and recorded them again", async () => {
    await write(EVENTS);
    await write([...EVENTS].reverse());
    const { isEqual, record } = await verify();
    assert.deepEqual([isEqual, record.recorded, record.missing, record.uncovered], [true, 10, [], []]);
  });

  it("verify compares with --since only the days of rows received or written since then", async () => {
    await write(EVENTS);
    await runQuery(
      fixture.bigquery,
      `UPDATE ${dataset}.accepted_ids SET written_date = '${isoDate(RECEIVED)}' WHERE TRUE`,
    );
    await runQuery(
      fixture.bigquery,
      `UPDATE ${dataset}.daily_rollup_versions SET written_date = '${isoDate(RECEIVED)}' WHERE TRUE`,
    );
    await lose("0-2", "1-2");
    const since = async (ms: number) => {
      const { days, equalDays, record } = await verify({ since: isoDate(ms) });
      return { days, equalDays, missing: record.missing.map(({ date }) => date) };
    };
    const both = ["2024-05-01", "2024-05-02"];
    // Rollups were also written for the days after which the user is no longer weekly or monthly active.
    const written = [...both, "2024-05-09", "2024-06-01"];
    assert.deepEqual(await since(RECEIVED), { days: written, equalDays: 2, missing: both });
    const last = ["2024-05-02"];
    assert.deepEqual(await since(RECEIVED + 86_400_000), { days: last, equalDays: 1, missing: last });
    assert.deepEqual(await since(RECEIVED + 2 * 86_400_000), { days: [], equalDays: 0, missing: [] });
    assert.equal((await verify()).record.beganOn, isoDate(RECEIVED));
  });

  it("verify names refused events that are dead letters, and they are explained when they were sent again", async () => {
    const [first, ...others] = EVENTS;
    const refused = { ...(first as AnalyticsEvent), event_id: 'ö"\\,' };
    await write([refused, ...others], { raw: others });
    const letter = deadLetterOfRefusedRow({
      table: "events",
      row: eventRow(refused),
      reason: "invalid",
      message: "no",
    });
    await insert("dead_letters", [deadLetterRow(letter)]);
    const before = await verify({ deadLettersUntil: new Date(Date.now() + 60_000).toISOString() });
    assert.equal(before.isEqual, false);
    assert.deepEqual(before.record.missing, [
      {
        ...{ date: "2024-05-01", recorded: 5, missing: 1, refused: 1, refusedIds: [refused.event_id] },
        untracedHashes: [],
      },
    ]);
    assert.deepEqual(
      before.deadLetters.map(({ kind, errorType, count, unexplained }) => [kind, errorType, count, unexplained]),
      [["event", "row_refused: invalid", 1, 1]],
    );
    await insert("events", [eventRow(refused)]);
    const after = await verify();
    assert.deepEqual([after.isEqual, after.deadLetters[0]?.count, after.deadLetters[0]?.unexplained], [true, 1, 0]);
  });

  it("verify reports messages that are not events until they are acknowledged", async () => {
    await write(EVENTS);
    const letter = (errorType: string, failedAt: string) =>
      deadLetterRow(
        createDeadLetter({
          ...{ errorType, errorMessage: "m", payload: Buffer.from("{no json"), source: "message 1" },
          failedAt: Date.parse(failedAt),
        }),
      );
    const today = isoDate(Date.now() - 86_400_000);
    await insert("dead_letters", [
      letter("not_json", `${today}T10:00:00Z`),
      letter("not_json", `${today}T12:00:00Z`),
      letter("invalid_event", `${today}T11:00:00Z`),
    ]);
    const unexplained = async (options: Partial<VerifyOptions>) => {
      const { isEqual, deadLetters } = await verify(options);
      return {
        isEqual,
        counts: deadLetters.map(({ errorType, count, unexplained }) => [errorType, count, unexplained]),
      };
    };
    const all = [
      ["invalid_event", 1, 1],
      ["not_json", 2, 2],
    ];
    assert.deepEqual(await unexplained({}), { isEqual: false, counts: all });
    assert.deepEqual(await unexplained({ deadLettersUntil: `${today}T11:00:00Z` }), {
      isEqual: false,
      counts: [
        ["invalid_event", 1, 0],
        ["not_json", 2, 1],
      ],
    });
    const { isEqual } = await unexplained({ deadLettersUntil: `${today}T12:00:00Z` });
    assert.equal(isEqual, true);
    assert.deepEqual(await unexplained({ since: isoDate(Date.now()) }), { isEqual: true, counts: [] });
  });

  it("verify reports events from before the record as not covered, and never as missing", async () => {
    const [before, after] = [EVENTS.slice(0, 8), EVENTS.slice(8)];
    const computations = new Computations(GAP_MS);
    await write(before, { computations });
    await runQuery(fixture.bigquery, `DELETE FROM ${dataset}.accepted_ids WHERE TRUE`);
    assert.deepEqual((await verify()).record, {
      ...{ exists: true, beganOn: undefined, recorded: 0, missing: [] },
      uncovered: [
        { date: "2024-05-01", events: 5 },
        { date: "2024-05-02", events: 3 },
      ],
    });
    await write(after, { computations });
    const { isEqual, record } = await verify();
    assert.equal(isEqual, true);
    assert.deepEqual([record.recorded, record.uncovered.map(({ events }) => events)], [2, [5, 3]]);
    await runQuery(fixture.bigquery, `DROP TABLE ${dataset}.accepted_ids`);
    const none = { beganOn: undefined, recorded: 0, missing: [], uncovered: [] };
    assert.deepEqual((await verify()).record, { exists: false, ...none });
  });

  it("verify expects in the sample of a large day only the smallest hashes of each shard", async () => {
    // The ids are searched so that one hash is below the largest in the sample, and one above it.
    const shard = (id: string): boolean => shardOfHash(eventIdHash(id)) === 0;
    const ids = Array.from({ length: 2000 }, (_, i) => `e${i}`).filter(shard);
    const [low, high] = ids
      .sort((a, b) => eventIdHash(a) - eventIdHash(b))
      .filter((_, i, all) => i === 0 || i === all.length - 1);
    assert(low !== undefined && high !== undefined);
    const middle = Math.floor((eventIdHash(low) + eventIdHash(high)) / 2);
    const hashes = Array.from({ length: SAMPLE_SIZE }, (_, i) => middle - i);
    await insert("accepted_ids", [acceptedIdsRow({ day: 20_000, hashes, recordedAt: Date.now() })]);
    const time = 20_000 * 86_400_000;
    const raw = [low, high].map((event_id) => event({ event_id, event_time: time, received_at: RECEIVED }));
    await insert("events", raw.map(eventRow));
    const { record } = await verify();
    assert.deepEqual(record.uncovered, [{ date: isoDate(time), events: 1 }]);
    const [{ missing, untracedHashes } = { missing: 0, untracedHashes: [] }] = record.missing;
    assert.deepEqual([missing, untracedHashes.length], [SAMPLE_SIZE, 5]);
  });

  it("verify uses the session gap of the dataset", async () => {
    const times = [DAY, DAY + 15 * MINUTE];
    const events = times.map((event_time) => event({ event_id: `e${event_time}`, event_time, received_at: RECEIVED }));
    await write(events, { computations: new Computations(10 * MINUTE) });
    const withDefault = await verify();
    assert.deepEqual([withDefault.isEqual, withDefault.gapMs], [false, GAP_MS]);
    const settings = { sessionGapMs: 10 * MINUTE, stateFormat: 3 };
    await recordGeneration(fixture.bigquery, dataset, settings);
    const { isEqual, gapMs } = await verify();
    assert.deepEqual([isEqual, gapMs], [true, 10 * MINUTE]);
    assert.equal((await verify({ gapMs: GAP_MS })).isEqual, false);
  });
});
