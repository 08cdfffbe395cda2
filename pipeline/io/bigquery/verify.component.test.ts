import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceRetention } from "@eventlogger/traffic/bruteForceRetention";
import { isOfBot } from "@eventlogger/traffic/generator/bots";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { validateEvent } from "@eventlogger/events/validation";
import { verificationLines } from "../../cli/verificationLines";
import { dailyNumbers } from "../../rebuild/testing/dailyNumbers";
import { retentionRows, rollupRows } from "../../testing/expectedRows";
import { eventRow } from "./eventRow";
import type { RetentionVersionRow, RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { createGeneration, PERSONS_STATE_FORMAT } from "@eventlogger/gcp/bigquery/generations";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { event, rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import type { Difference, RollupComparison } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";

const GAP_MS = 30 * 60_000;
const DAY = Date.parse("2024-05-01T00:00:00Z");
const HOUR = 3_600_000;

describe("verifyDataset, rollups", () => {
  const fixture = useBigQueryEmulator();

  async function write(
    dataset: string,
    events: readonly AnalyticsEvent[],
    rollups: readonly RollupVersionRow[],
    retention: readonly RetentionVersionRow[],
  ): Promise<void> {
    const tables = fixture.bigquery.dataset(dataset);
    for (let i = 0; i < events.length; i += 500) {
      await tables.table("events").insert(events.slice(i, i + 500).map(eventRow));
    }
    if (rollups.length) await tables.table("daily_rollup_versions").insert(rollups);
    if (retention.length) await tables.table("weekly_retention_versions").insert(retention);
  }

  const linesOf = (differences: readonly Difference[]): string[] =>
    differences.map((d) => `${d.date} ${d.number} ${d.expected} ${d.actual}`);

  async function verify(
    events: AnalyticsEvent[],
    rollups: RollupVersionRow[],
    gapMs = GAP_MS,
  ): Promise<Pick<RollupComparison, "differences" | "equalDays"> & { lines: string[] }> {
    const dataset = await fixture.freshDataset();
    await write(dataset, events, rollups, retentionRows(bruteForceRetention(events)));
    const verification = await verifyDataset(fixture.bigquery, { dataset, gapMs });
    const { differences, equalDays, retention } = verification;
    assert.deepEqual(retention?.differences, []);
    return { differences, equalDays, lines: linesOf(differences) };
  }

  const ONE_MORE = { weekly_active_change: 1, monthly_active_change: 1 };
  // A 10-minute session across midnight; events exactly the gap apart (two sessions); events 1 ms closer, repeated.
  const events = [
    event({ session_id: "a", event_time: DAY - 5 * 60_000, user_id: "u1" }),
    event({ session_id: "a", event_time: DAY + 5 * 60_000, user_id: "u1" }),
    event({ session_id: "a", event_time: DAY + 6 * 60_000, user_id: "u1" }),
    event({ session_id: "b", event_time: DAY + HOUR, user_id: "u2" }),
    event({ session_id: "b", event_time: DAY + HOUR + GAP_MS, user_id: "u2" }),
    event({ session_id: "c", event_time: DAY + HOUR }),
    event({ session_id: "c", event_time: DAY + HOUR + GAP_MS - 1 }),
    event({ session_id: "c", event_time: DAY + HOUR + GAP_MS - 1 }),
  ];
  const correct = [
    rollupVersion({ date: "2024-04-30", session_count: 1, active_user_count: 1, new_user_count: 1, ...ONE_MORE }),
    rollupVersion({
      ...{ date: "2024-05-01", ...ONE_MORE },
      session_count: 4,
      session_duration_ms: 60_000 + GAP_MS - 1,
      active_user_count: 2,
      new_user_count: 1,
    }),
  ];

  it("verify finds no differences in empty tables", async () => {
    assert.deepEqual(await verify([], []), { differences: [], equalDays: 0, lines: [] });
  });

  it("verify finds no differences in correct rollups", async () => {
    assert.deepEqual(await verify(events, correct), { differences: [], equalDays: 2, lines: [] });
  });

  it("verify uses the given session gap", async () => {
    const { lines } = await verify(events, correct, GAP_MS + 1);
    assert.ok(lines.includes("2024-05-01 session_count 3 4"), lines.join("\n"));
  });

  it("verify compares the rollups of one generation, with its session gap, whatever readers see", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const { bigquery } = fixture;
    const settings = { sessionGapMs: GAP_MS + 1, stateFormat: PERSONS_STATE_FORMAT };
    await createGeneration(bigquery, dataset, { settings });
    const second = correct.map((row) => ({ ...row, generation: 2, version: 9 }));
    await bigquery.dataset(dataset).table("events").insert(events.map(eventRow));
    await bigquery
      .dataset(dataset)
      .table("daily_rollup_versions")
      .insert([...correct, ...second]);
    const differences = async (generation?: number): Promise<string[]> => {
      const found = await verifyDataset(bigquery, { dataset, generation });
      assert.equal(found.generation, generation ?? 1);
      return found.differences.map((d) => `${d.date} ${d.number} ${d.expected} ${d.actual}`);
    };
    assert.deepEqual([await differences(), await differences(1)], [[], []]);
    assert.ok((await differences(2)).includes("2024-05-01 session_count 3 4"));
    await assert.rejects(differences(3), /has no generation 3/);
  });

  it("verify finds a missing day", async () => {
    const { lines, equalDays } = await verify(events, correct.slice(0, 1));
    assert.deepEqual(lines, ["2024-05-01 day 4 undefined"]);
    assert.equal(equalDays, 1);
  });

  it("verify finds a day without events", async () => {
    const { lines } = await verify(events, [...correct, rollupVersion({ date: "2024-05-02", session_count: 1 })]);
    assert.deepEqual(lines, ["2024-05-02 day undefined 1"]);
  });

  const changes: [Partial<RollupVersionRow>, string[]][] = [
    [
      { session_count: 5 },
      [
        "2024-05-01 session_count 4 5",
        "2024-05-01 average_session_duration_sec 465 372",
        "2024-05-01 average_session_duration_min 7.75 6.2",
      ],
    ],
    [{ session_duration_ms: 60_000 + GAP_MS }, ["2024-05-01 session_duration_ms 1859999 1860000"]],
    [{ active_user_count: 3 }, ["2024-05-01 active_user_count 2 3"]],
    [{ anonymous_user_count: 1 }, ["2024-05-01 anonymous_user_count 0 1"]],
    [{ weekly_active_change: 0 }, ["2024-05-01 wau 2 1"]],
    [{ monthly_active_change: 2 }, ["2024-05-01 mau 2 3"]],
    [{ bot_session_count: 1 }, ["2024-05-01 bot_session_count 0 1"]],
    [{ bot_user_count: 1 }, ["2024-05-01 bot_user_count 0 1"]],
    [{ new_user_count: 0 }, ["2024-05-01 new_user_count 1 0", "2024-05-01 total_users 2 1"]],
  ];
  let changed: string | undefined;
  for (const [i, [change, expected]] of changes.entries()) {
    it(`verify finds a wrong ${Object.keys(change)[0]}`, async () => {
      const [, second] = correct as [RollupVersionRow, RollupVersionRow];
      if (changed === undefined) {
        changed = await fixture.freshDataset();
        await write(changed, events, correct, retentionRows(bruteForceRetention(events)));
      }
      // Each version takes the place of the one before.
      await write(changed, [], [{ ...second, version: 2 + i, ...change }], []);
      const { differences, equalDays } = await verifyDataset(fixture.bigquery, { dataset: changed, gapMs: GAP_MS });
      assert.deepEqual(linesOf(differences), expected);
      assert.equal(equalDays, 1);
    });
  }

  /** Generated events of users, bots and visitors who may log in, some on devices with more users than can be linked. */
  function traffic(now: number): AnalyticsEvent[] {
    const options = { count: 2500, seed: 7, days: 60, users: 300, now, duplicateShare: 0.1, eventsPerSession: 3 };
    const persons = { anonymousIdShare: 0.8, sharedDeviceShare: 0.8, botShare: 0.2 };
    return [...generateTraffic({ ...options, ...persons })].map((input) => {
      const result = validateEvent(input, now);
      assert.ok(result.ok);
      return { ...result.event, is_bot: isOfBot(input) };
    });
  }

  for (const [timeZone, countBots] of [
    ["UTC", false],
    ["America/New_York", true],
  ] as const) {
    it(`verify finds no difference from brute force on generated traffic by the days of ${timeZone}, ${countBots ? "with" : "without"} bots`, async () => {
      const settings = { sessionGapMs: GAP_MS, stateFormat: PERSONS_STATE_FORMAT, timeZone, countBots };
      const dataset = await fixture.datasetWithGeneration(settings);
      const generated = traffic(DAY + 20 * HOUR);
      const users = generated.filter(({ anonymous_id }) => anonymous_id === "d-0").map(({ user_id }) => user_id);
      assert.ok(new Set(users).size > 51, "a device has more users than can be linked");
      const numbers = dailyNumbers(generated, GAP_MS, settings);
      const retention = bruteForceRetention(generated, settings);
      await write(dataset, generated, rollupRows(numbers), retentionRows(retention));
      const found = await verifyDataset(fixture.bigquery, { dataset });
      assert.deepEqual([linesOf(found.differences), found.retention?.differences], [[], []]);
      assert.equal(found.equalDays, numbers.size);
      assert.equal(found.retention?.equalCohorts, retention.cohorts.length);
      const since = await verifyDataset(fixture.bigquery, { dataset, since: "2024-04-15" });
      assert.equal(since.isEqual, true, linesOf(since.differences).join("\n"));
      assert.equal(since.equalDays, numbers.size, "all events were received then");
      const all = [...numbers.values()];
      for (const number of ["anonymous_user_count", "bot_user_count", "wau", "mau"] as const) {
        assert.ok(
          all.some((day) => day[number] > 0),
          number,
        );
      }
    });
  }

  it("verify compares the retention of every cohort, and names those that differ", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const retention = retentionRows(bruteForceRetention(events));
    const [first] = retention;
    assert(first && retention.length === 1);
    const more = [
      { ...first, version: 2, person_count: first.person_count + 1 },
      { ...first, version: 1, week_offset: 3, person_count: 4 },
      { ...first, version: 1, cohort_week: "2024-05-06", person_count: 2 },
    ];
    await write(dataset, events, correct, [...retention, ...more]);
    const found = await verifyDataset(fixture.bigquery, { dataset, since: "2024-05-02" });
    assert.deepEqual(
      found.retention?.differences.map((d) => [d.cohortWeek, d.weekOffset, d.expected, d.actual]),
      [
        ["2024-04-29", 0, 2, 3],
        ["2024-04-29", 3, 0, 4],
        ["2024-05-06", 0, 0, 2],
      ],
    );
    assert.equal(found.isEqual, false);
    const plain = (text: string): string => text;
    const lines = verificationLines(found, { since: undefined, red: plain, green: plain, yellow: plain });
    assert.equal(
      lines[0],
      "different retention of the cohort of 2024-04-29 in week 0 is 3, but 2 according to the raw events",
    );
  });

  it("verify of a generation of an earlier release compares its numbers of users, and no others", async () => {
    const dataset = await fixture.datasetWithGeneration({ sessionGapMs: GAP_MS, stateFormat: 2 });
    const withoutChanges = correct.map((row) => ({ ...row, weekly_active_change: 0, monthly_active_change: 0 }));
    await write(dataset, events, withoutChanges, []);
    const { isEqual, equalDays, retention } = await verifyDataset(fixture.bigquery, { dataset });
    assert.deepEqual([isEqual, equalDays, retention], [true, 2, undefined]);
  });

  it("with --since, verify compares the days of an anonymous id that has logged in since, and the month after them", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const early = Date.parse("2024-03-01T12:00:00Z");
    const visit = (days: number, fields: Partial<AnalyticsEvent>): AnalyticsEvent =>
      event({
        event_id: `${days}`,
        event_time: early + days * 24 * HOUR,
        received_at: early + days * 24 * HOUR,
        ...fields,
      });
    const known = [visit(0, { anonymous_id: "a" }), visit(10, { user_id: "u" }), visit(45, { user_id: "u" })];
    const link = visit(61, { user_id: "u", anonymous_id: "a" });
    // The rollups as they were before the login.
    const old = dailyNumbers(known, GAP_MS);
    const rows = rollupRows(old).map((row) => ({ ...row, written_date: "2024-04-20" }));
    await write(dataset, [...known, link], rows, []);
    const found = await verifyDataset(fixture.bigquery, { dataset, since: "2024-05-01" });
    const wrong = new Set(found.differences.map(({ date }) => date));
    assert.deepEqual([...wrong], ["2024-03-01", "2024-03-11", "2024-05-01"]);
    assert.ok(linesOf(found.differences).includes("2024-03-11 mau 1 2"));
    assert.ok(!found.days?.includes("2024-04-15"), found.days?.join());
    const all = [...known, link];
    const newRows = rollupRows(dailyNumbers(all, GAP_MS), { version: 2 });
    await write(dataset, [], newRows, retentionRows(bruteForceRetention(all)));
    const exact = await verifyDataset(fixture.bigquery, { dataset, since: "2024-05-01" });
    assert.deepEqual([linesOf(exact.differences), exact.isEqual, exact.equalDays], [[], true, 4]);
  });
});
