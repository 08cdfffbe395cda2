import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { dayFromIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { PERSONS_STATE_FORMAT, type GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import type { TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset, type Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { checkTimeZone } from "@eventlogger/gcp/bigquery/zone/checkTimeZone";
import { differingDays, type RunQuery } from "@eventlogger/gcp/bigquery/zone/zoneRules";
import { createRandom } from "@eventlogger/traffic/generator/random";
import { verificationLines } from "../../cli/verificationLines";
import { Computations } from "../../testing/computations";
import { computedRows } from "../../testing/computedRows";
import { eventRow } from "./eventRow";

const GAP_MS = 30 * 60_000;
const HOUR = 3_600_000;
const COUNT_BOTS = true;
const plain = (text: string): string => text;

/** A moment of each zone at which its clocks or its date change, close to a local midnight. */
const CHANGES = {
  "Europe/Berlin": "2026-10-25T01:00Z",
  "America/New_York": "2026-03-08T05:00Z",
  "America/Sao_Paulo": "2019-02-17T02:00Z",
  "America/St_Johns": "2010-11-07T02:31Z",
  "Australia/Lord_Howe": "2026-04-04T15:00Z",
  "Asia/Kolkata": "2026-03-28T18:30Z",
  "Asia/Kathmandu": "2026-03-28T18:15Z",
  "Asia/Tehran": "2022-03-21T20:30Z",
  "Africa/Cairo": "2023-10-26T21:00Z",
  "Pacific/Apia": "2011-12-30T10:00Z",
} as const;

type Zone = keyof typeof CHANGES;

const settingsOf = (timeZone: string): GenerationSettings => ({
  ...{ sessionGapMs: GAP_MS, timeZone, countBots: COUNT_BOTS, stateFormat: PERSONS_STATE_FORMAT },
});

/** Events of few sessions and users in the four days around a change, with most of them within two hours of it. */
function traffic(zone: Zone): AnalyticsEvent[] {
  const generator = createRandom(zone.length);
  const random = (below: number): number => Math.floor(generator.float() * below);
  const change = Date.parse(CHANGES[zone]);
  return Array.from({ length: 250 }, (_, i) => {
    const within = i % 3 === 0 ? 48 * HOUR : 2 * HOUR;
    return event({
      event_id: `${zone} ${i}`,
      session_id: `${zone} ${random(12)}`,
      user_id: random(5) === 0 ? null : `${zone} ${random(40)}`,
      anonymous_id: random(2) === 0 ? null : `${zone} ${random(60)}`,
      is_bot: random(4) === 0,
      event_time: change - within + random(2 * within),
      received_at: Date.now() - 1000,
    });
  });
}

describe("verifyDataset, time zones", () => {
  const fixture = useBigQueryEmulator();
  const run: RunQuery = (sql) => runQuery(fixture.bigquery, sql);
  let dataset: string;

  async function insert<T extends TableName>(table: T, rows: TableRows[T][]): Promise<void> {
    if (rows.length > 0) await fixture.bigquery.dataset(dataset).table(table).insert(rows);
  }

  /** Writes what a pipeline with the days of a zone writes for events. */
  async function write(events: readonly AnalyticsEvent[], timeZone: string): Promise<void> {
    const rows = await computedRows(events, new Computations(GAP_MS, undefined, "state", timeZone, COUNT_BOTS));
    await insert("events", events.map(eventRow));
    await insert("daily_rollup_versions", rows.daily_rollup_versions);
    await insert("weekly_retention_versions", rows.weekly_retention_versions);
    await insert("accepted_ids", rows.accepted_ids);
  }

  const verify = (timeZone?: string, since?: string): Promise<Verification> =>
    verifyDataset(fixture.bigquery, { dataset, timeZone, since });
  const linesOf = (verification: Verification): string =>
    verificationLines(verification, { since: undefined, red: plain, green: plain, yellow: plain }).join("\n");

  it("the days of ten zones from 2007 to 2025 start at the same moments by SQL and by the table of offsets", async () => {
    const [first, last] = ["2007-01-01", "2025-12-31"].map((date) => dayFromIso(date) as number) as [number, number];
    for (const name of Object.keys(CHANGES)) {
      assert.deepEqual(await differingDays(run, TimeZone.of(name), first, last), [], name);
    }
  });

  for (const zone of Object.keys(CHANGES) as Zone[]) {
    it(`rollups with the days of ${zone} equal the raw events by SQL, around a change of its clocks or a midnight`, async () => {
      dataset = await fixture.datasetWithGeneration(settingsOf(zone));
      await write(traffic(zone), zone);
      const exact = await verify();
      assert.equal(exact.timeZone, zone);
      assert.equal(exact.isEqual, true, linesOf(exact));
      assert.ok(exact.equalDays >= 3);
      const since = await verify(undefined, "2020-01-01");
      assert.equal(since.isEqual, true, linesOf(since));
      assert.equal(since.equalDays, exact.equalDays);
      if (zone === "Europe/Berlin") assert.equal((await verify("UTC")).isEqual, false, "the days of UTC are others");
    });
  }

  it("with --since, verify finds a lost event whose UTC day is another one than its local day", async () => {
    const zone = "Asia/Kolkata";
    dataset = await fixture.datasetWithGeneration(settingsOf(zone));
    // 02:00 of 2 May in Kolkata.
    const events = [event({ event_id: "lost", event_time: Date.parse("2024-05-01T20:30Z"), received_at: Date.now() })];
    await write(events, zone);
    await runQuery(fixture.bigquery, `DELETE FROM ${dataset}.events WHERE event_id = 'lost'`);
    const { differences, record } = await verify(undefined, "2024-05-03");
    assert.deepEqual(
      differences.map(({ date, number }) => `${date} ${number}`),
      ["2024-05-02 day"],
    );
    assert.deepEqual(
      record.missing.map(({ date, missing }) => [date, missing]),
      [["2024-05-01", 1]],
    );
  });

  /** Runs a query as a BigQuery with other rules would: with those of another zone. */
  const withRulesOf =
    (other: string): RunQuery =>
    (sql) =>
      run(sql.replaceAll("'Europe/Berlin'", `'${other}'`));

  it("days that start at another moment by the rules of BigQuery are found", async () => {
    const [first, last] = ["2026-01-01", "2026-12-31"].map((date) => dayFromIso(date) as number) as [number, number];
    // The zone has the same time in winter, and no daylight saving time: the first and last days that differ.
    const days = await differingDays(withRulesOf("Africa/Tunis"), TimeZone.of("Europe/Berlin"), first, last);
    assert.deepEqual([days[0], days.at(-1), days.length], ["2026-03-30", "2026-10-25", 210]);
  });

  it("a zone that BigQuery does not know is a problem, and one with other rules a warning that names days", async () => {
    assert.deepEqual(await checkTimeZone(run, "Europe/Berlin"), { problems: [], warnings: [] });
    const { problems } = await checkTimeZone(withRulesOf("Mars/Olympus"), "Europe/Berlin");
    assert.match(problems.join(), /^BigQuery does not know the time zone Europe\/Berlin\..*\(--time-zone\)$/);
    const { warnings } = await checkTimeZone(withRulesOf("Africa/Tunis"), "Europe/Berlin");
    assert.match(
      warnings.join(),
      /^The rules of Europe\/Berlin differ between this Node\.js \(tz database 20\d\d[a-z]\) and BigQuery: \d+ days start at another time \(2010-03-29, /,
    );
  });
});
