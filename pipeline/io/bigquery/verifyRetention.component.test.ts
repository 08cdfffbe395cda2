import assert from "node:assert/strict";
import { dayOf, dayStart, dayToIso, DAY_MS } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { completeSince } from "@eventlogger/gcp/bigquery/retention/eventRetention";
import { horizonAt } from "@eventlogger/gcp/bigquery/retention/horizon";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import type { TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset, type Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { createRandom } from "@eventlogger/traffic/generator/random";
import { Computations } from "../../testing/computations";
import { computedRows } from "../../testing/computedRows";
import { verificationLines } from "../../cli/verificationLines";
import { eventRow } from "./eventRow";
import { deadLetterOfRefusedRow } from "./refusedRow";
import { deadLetterRow } from "./sinkRows";

const GAP_MS = 30 * 60_000;
const RETENTION_DAYS = 10;
const DAYS = 25;
const plain = (text: string): string => text;

/** Events of 25 days until today. Some are received days later, some up to 24 hours before their time, by a wrong clock. */
function traffic(now: number, anonymousIds = 0): AnalyticsEvent[] {
  const generator = createRandom(12);
  const random = (): number => generator.float();
  return Array.from({ length: 1500 }, (_, i) => {
    const received_at = Math.floor(now - random() * DAYS * DAY_MS);
    const kind = random();
    const ahead = kind < 0.2 ? random() * DAY_MS : kind < 0.6 ? -random() * 12 * DAY_MS : -1000;
    return event({
      event_id: `e${i}`,
      session_id: `s${Math.floor(random() * 200)}`,
      user_id: random() < 0.1 ? null : `u${Math.floor(random() * 120)}`,
      anonymous_id: i % 3 < anonymousIds ? `a${(i * 7) % 90}` : null,
      event_time: Math.floor(received_at + ahead),
      received_at,
    });
  });
}

describe("verifyDataset, deleted events", () => {
  const fixture = useBigQueryEmulator();
  const now = Date.now();
  const events = traffic(now);
  const since = completeSince({ expirationMs: RETENTION_DAYS * DAY_MS, completeSince: undefined }, now) as string;
  const { firstCompleteDay } = horizonAt(since);
  let dataset: string;

  async function insert<T extends TableName>(table: T, rows: TableRows[T][]): Promise<void> {
    for (let i = 0; i < rows.length; i += 500) {
      await fixture.bigquery
        .dataset(dataset)
        .table(table)
        .insert(rows.slice(i, i + 500));
    }
  }

  /** Writes what the pipeline writes for the events. */
  async function write(written: readonly AnalyticsEvent[] = events): Promise<void> {
    const rows = await computedRows(written, new Computations(GAP_MS));
    await insert("events", written.map(eventRow));
    await insert("daily_rollup_versions", rows.daily_rollup_versions);
    await insert("weekly_retention_versions", rows.weekly_retention_versions);
    await insert("accepted_ids", rows.accepted_ids);
  }

  const verify = (): Promise<Verification> => verifyDataset(fixture.bigquery, { dataset, gapMs: GAP_MS });
  const setUp = (eventRetention: number | "none"): Promise<unknown> =>
    setUpBigQuery(fixture.bigquery, { dataset, eventRetention });
  const linesOf = (verification: Verification): string =>
    verificationLines(verification, { since: undefined, red: plain, green: plain, yellow: plain }).join("\n");

  /** Changes the numbers of one day, as a faulty pipeline would. */
  async function change(date: string, assignment: string): Promise<void> {
    await runQuery(
      fixture.bigquery,
      `UPDATE ${dataset}.daily_rollup_versions SET ${assignment} WHERE date = DATE '${date}'`,
    );
  }
  const differencesAfter = async (date: string, assignment: string, undo: string): Promise<string[]> => {
    await change(date, assignment);
    const { differences } = await verify();
    await change(date, undo);
    return differences.map((one) => `${one.date} ${one.number} ${one.bound ?? "equal"}`);
  };

  it("verify finds no difference after partitions have expired, and checks what the remaining rows determine", async () => {
    dataset = await fixture.freshDataset();
    await write();
    const before = await verify();
    assert.deepEqual([before.isEqual, before.horizon, before.notCheckable], [true, undefined, undefined]);
    const allDays = before.equalDays;

    await setUp(RETENTION_DAYS);
    const [{ n: left }] = (await fixture.bigquery.query(`SELECT COUNT(*) AS n FROM ${dataset}.events`))[0] as [
      { n: number },
    ];
    assert.ok(left > 0 && left < events.length * 0.6, `${left} rows are left`);
    const after = await verify();
    assert.deepEqual(after.differences, []);
    assert.deepEqual(after.record.missing, []);
    assert.equal(after.isEqual, true);
    const checked = new Set(
      events.map((one) => dayToIso(dayOf(one.event_time))).filter((day) => day >= firstCompleteDay),
    );
    // Midnight may come during the test: then one day less can be checked.
    assert.ok(checked.size - after.equalDays <= 1 && after.equalDays <= checked.size, `${after.equalDays} days`);
    assert.equal(after.equalDays + (after.notCheckable?.days ?? 0), allDays);
    const text = linesOf(after);
    assert.match(text, /^not checkable \d+ days, \S+ to \S+: rows received before \S+ are deleted$/m);
    assert.match(text, /^not checkable new_user_count and total_users from \S+ on, which depend on all earlier rows/m);
    assert.match(text, /^not checkable wau and mau of days less than 7 and 30 days after \S+: rows received before/m);
    assert.match(text, /^not checkable retention of \d cohorts: rows received before/m);

    // The day after, so that midnight may come.
    const day = dayToIso(dayOf(dayStart(Date.parse(firstCompleteDay) / DAY_MS)) + 2);
    const unchanged = (column: string, by: number): [string, string] => [
      `${column} = ${column} + ${by}`,
      `${column} = ${column} - ${by}`,
    ];
    assert.ok((await differencesAfter(day, ...unchanged("session_count", 1))).includes(`${day} session_count equal`));
    assert.deepEqual(await differencesAfter(day, ...unchanged("active_user_count", 1)), [
      `${day} active_user_count equal`,
    ]);
    // More users than the remaining rows explain: more new ones, or fewer in total.
    assert.deepEqual(await differencesAfter(day, ...unchanged("new_user_count", 200)), [
      `${day} new_user_count at most`,
    ]);
    const lower = await differencesAfter(day, ...unchanged("monthly_active_change", -200));
    assert.ok(lower.includes(`${day} mau at least`) && lower.every((line) => / mau /.test(line)), lower.join());
    const fewer = await differencesAfter(day, ...unchanged("new_user_count", -200));
    assert.ok(fewer.includes(`${day} total_users at least`), fewer.join());
    assert.match(
      linesOf({
        ...after,
        isEqual: false,
        differences: [{ date: day, number: "new_user_count", expected: 3, actual: 4, bound: "at most" }],
      }),
      /new_user_count is 4, but must be at most 3 according to the raw events that remain/,
    );
    const old = dayToIso(dayOf(Date.parse(firstCompleteDay)) - 3);
    assert.deepEqual(await differencesAfter(old, ...unchanged("session_count", 1)), []);
  });

  it("where deleted rows may have linked anonymous ids with users, verify checks what the remaining rows determine", async () => {
    dataset = await fixture.freshDataset();
    const visitors = traffic(now, 2);
    await write(visitors);
    const before = await verify();
    assert.deepEqual([before.isEqual, before.differences], [true, []]);
    await setUp(RETENTION_DAYS);
    const after = await verify();
    assert.deepEqual([after.isEqual, after.differences, after.mayLackLinks], [true, [], true]);
    assert.match(linesOf(after), /^not checkable numbers of persons from \S+ on, because rows received before/m);
    const day = dayToIso(dayOf(Date.parse(firstCompleteDay)) + 2);
    const set = (column: string, by: number): [string, string] => [
      `${column} = ${column} + ${by}`,
      `${column} = ${column} - ${by}`,
    ];
    assert.deepEqual(await differencesAfter(day, ...set("active_user_count", -200)), [
      `${day} active_user_count at least`,
    ]);
    assert.deepEqual(await differencesAfter(day, ...set("anonymous_user_count", 200)), [
      `${day} anonymous_user_count at most`,
    ]);
    assert.deepEqual(await differencesAfter(day, ...set("new_user_count", 5)), []);
    assert.ok((await differencesAfter(day, ...set("session_count", 1))).includes(`${day} session_count equal`));
  });

  it("verify remembers what an earlier retention has deleted, and finds differences when nobody recorded it", async () => {
    await setUp("none");
    const removed = await verify();
    assert.deepEqual([removed.isEqual, removed.differences], [true, []]);
    assert.ok(removed.horizon !== undefined && removed.notCheckable !== undefined);
    await fixture.bigquery.dataset(dataset).table("events").setMetadata({ labels: {} });
    const forgotten = await verify();
    assert.equal(forgotten.isEqual, false);
    assert.ok(forgotten.differences.some(({ date }) => date < firstCompleteDay));
    assert.ok(forgotten.record.missing.length > 0);
    // The first complete day is not one too late: the day before it lacks rows.
    const lacking = new Set(forgotten.record.missing.map(({ date }) => date));
    assert.ok(lacking.has(dayToIso(dayOf(Date.parse(firstCompleteDay)) - 2)), [...lacking].join());
    assert.deepEqual(
      [...lacking].filter((date) => date >= firstCompleteDay),
      [],
    );
  });

  it("a refused event whose row may be deleted is explained, and one that was received later is not", async () => {
    dataset = await fixture.freshDataset();
    await setUp(RETENTION_DAYS);
    const received = (days: number): AnalyticsEvent =>
      event({ event_id: `${days}`, event_time: now - days * DAY_MS, received_at: now - days * DAY_MS });
    const letters = [RETENTION_DAYS + 3, 3].map((days) =>
      deadLetterRow(
        deadLetterOfRefusedRow({ table: "events", row: eventRow(received(days)), reason: "invalid", message: "no" }),
      ),
    );
    await insert("dead_letters", letters);
    const { deadLetters, isEqual } = await verify();
    assert.deepEqual(
      deadLetters.map(({ kind, count, unexplained }) => [kind, count, unexplained]),
      [["event", 2, 1]],
    );
    assert.equal(isEqual, false);
  });
});
