import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readDailyRollups } from "./dailyRollups";
import { runQuery } from "./query";
import type { RollupVersionRow } from "./tables";
import { readWeeklyRetention } from "./weeklyRetention";
import { useBigQueryEmulator } from "./testing/useBigQueryEmulator";
import { rollupVersion } from "./testing/rows";

const NOTHING = {
  ...{ total_users: 0, days: [], watermark: null },
  definitions: { generation: 1, timeZone: "UTC", sessionGapMs: 1_800_000 },
};

describe("the view daily_rollups", () => {
  const fixture = useBigQueryEmulator();

  async function read(rows: RollupVersionRow[]): ReturnType<typeof readDailyRollups> {
    const dataset = await fixture.datasetWithGeneration();
    if (rows.length) await fixture.bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    return readDailyRollups(fixture.bigquery, dataset);
  }

  it("has no rows when there are no rollup versions", async () => {
    assert.deepEqual(await read([]), NOTHING);
  });

  it("has no definitions before the first start of the pipeline", async () => {
    const dataset = await fixture.freshDataset();
    assert.deepEqual(await readDailyRollups(fixture.bigquery, dataset), { ...NOTHING, definitions: undefined });
  });

  it("shows the newest version of each day in any order of insertion, and a running total of users", async () => {
    const rollups = await read([
      rollupVersion({ date: "2024-05-02", version: 1714700000001, active_user_count: 9, new_user_count: 3 }),
      rollupVersion({ date: "2020-01-01", version: 7, active_user_count: 2, new_user_count: 2 }),
      rollupVersion({ date: "2024-05-02", version: 1714700000000, active_user_count: 1, new_user_count: 1 }),
      rollupVersion({ date: "2020-01-01", version: 6, active_user_count: 1, new_user_count: 1 }),
      rollupVersion({ date: "2024-05-03", version: 1, active_user_count: 4, session_count: 5 }),
    ]);
    assert.deepEqual(
      rollups.days.map((d) => [d.date, d.session_count, d.active_user_count, d.new_user_count, d.total_users]),
      [
        ["2020-01-01", 0, 2, 2, 2],
        ["2024-05-02", 0, 9, 3, 5],
        ["2024-05-03", 5, 4, 0, 5],
      ],
    );
    assert.equal(rollups.total_users, 5);
  });

  it("a range selects days, first and last included, and keeps the total of users over all days", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const range = (from: string, to: string): ReturnType<typeof readDailyRollups> =>
      readDailyRollups(fixture.bigquery, dataset, { from, to });
    assert.deepEqual(await range("2020-01-01", "2024-05-03"), NOTHING);
    const dates = ["2020-01-01", "2024-05-01", "2024-05-02", "2024-05-03"];
    const rows = dates.map((date, i) => rollupVersion({ date, version: 1, session_count: 1, new_user_count: i + 1 }));
    await fixture.bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    const cases: [string, string, string[]][] = [
      ["2024-05-01", "2024-05-02", ["2024-05-01", "2024-05-02"]],
      ["2024-05-03", "2024-05-03", ["2024-05-03"]],
      ["2021-01-01", "2021-12-31", []],
      ["2025-01-01", "2025-12-31", []],
      ["2020-01-01", "2024-05-03", dates],
    ];
    for (const [from, to, expected] of cases) {
      const { total_users, days } = await range(from, to);
      assert.deepEqual([total_users, days.map(({ date }) => date)], [10, expected]);
    }
  });

  it("shows weekly and monthly active users as sums of changes, also of days without events, which it hides", async () => {
    const person = { weekly_active_change: 1, monthly_active_change: 1 };
    const day = (date: string, fields: Partial<RollupVersionRow>) => rollupVersion({ date, ...fields });
    const rollups = await read([
      day("2024-05-01", { session_count: 2, active_user_count: 2, anonymous_user_count: 1, ...person }),
      // A later version has one person more.
      day("2024-05-01", {
        ...{ version: 2, session_count: 2, active_user_count: 2, anonymous_user_count: 1 },
        ...{ weekly_active_change: 2, monthly_active_change: 2 },
      }),
      day("2024-05-03", { bot_session_count: 3, bot_user_count: 1 }),
      day("2024-05-08", { weekly_active_change: -2 }),
      day("2024-05-20", { session_count: 1, active_user_count: 1, ...person }),
      day("2024-05-27", { weekly_active_change: -1 }),
      day("2024-05-31", { monthly_active_change: -2 }),
      day("2024-06-18", { session_count: 1 }),
    ]);
    assert.deepEqual(
      rollups.days.map((d) => [d.date, d.wau, d.mau, d.anonymous_user_count, d.bot_session_count, d.bot_user_count]),
      [
        ["2024-05-01", 2, 2, 1, 0, 0],
        ["2024-05-03", 2, 2, 0, 3, 1],
        ["2024-05-20", 1, 3, 0, 0, 0],
        ["2024-06-18", 0, 1, 0, 0, 0],
      ],
    );
  });

  it("the view weekly_retention shows the newest version of each cohort and week of the active generation", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const written_date = new Date().toISOString().slice(0, 10);
    const cell = (cohort_week: string, week_offset: number, person_count: number, version = 1, generation = 1) => ({
      ...{ generation, cohort_week, week_offset, person_count, version },
      ...{ updated_at: `${written_date}T00:00:00.000Z`, written_date },
    });
    const range = { from: "2024-04-29", to: "2024-05-13" };
    const definitions = { generation: 1, timeZone: "UTC", sessionGapMs: 1_800_000 };
    assert.deepEqual(await readWeeklyRetention(fixture.bigquery, dataset, range), { cohorts: [], definitions });
    const rows = [
      ...[cell("2024-04-29", 0, 7), cell("2024-04-29", 0, 9, 2), cell("2024-04-29", 3, 4), cell("2024-04-29", 1, 1)],
      // Nobody is left in this week, and in the cohort after it.
      ...[cell("2024-04-29", 1, 0, 2), cell("2024-05-06", 0, 1), cell("2024-05-06", 0, 0, 3)],
      ...[cell("2024-05-13", 0, 2), cell("2024-05-20", 0, 5), cell("2024-05-13", 0, 99, 9, 2)],
    ];
    await fixture.bigquery.dataset(dataset).table("weekly_retention_versions").insert(rows);
    assert.deepEqual(await readWeeklyRetention(fixture.bigquery, dataset, range), {
      cohorts: [
        { week: "2024-04-29", size: 9, retained: [9, 0, 0, 4] },
        { week: "2024-05-13", size: 2, retained: [2] },
      ],
      definitions,
    });
  });

  it("omits a day whose newest version is all zeros", async () => {
    const rollups = await read([
      rollupVersion({ date: "2024-05-01", version: 1, session_count: 1, new_user_count: 1 }),
      rollupVersion({ date: "2024-05-01", version: 2 }),
    ]);
    assert.deepEqual(rollups, NOTHING);
  });

  it("deleting old versions as the page about costs says keeps the newest version of each day of each generation", async () => {
    const dataset = await fixture.datasetWithGeneration();
    const page = readFileSync(path.join(repositoryRoot, "docs/operations/costs.md"), "utf8");
    const sql = /^DELETE FROM [^;]*;/m.exec(page)?.[0] ?? assert.fail("the page has no DELETE statement");
    const old = new Date(Date.now() - 31 * 86_400_000).toISOString().slice(0, 10);
    const day = { date: "2024-05-01", written_date: old };
    const versions: [generation: number, version: number][] = [
      [1, 100],
      [1, 101],
      [2, 7],
      [2, 8],
    ];
    const rows = versions.map(([generation, version]) =>
      rollupVersion({ ...day, generation, version, session_count: 1 }),
    );
    await fixture.bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    await runQuery(fixture.bigquery, sql.replaceAll("my-project.analytics", `${fixture.project}.${dataset}`));
    const left = await runQuery(
      fixture.bigquery,
      `SELECT generation, version FROM ${dataset}.daily_rollup_versions ORDER BY generation`,
    );
    assert.deepEqual(
      left.map((row) => [row.number("generation"), row.number("version")]),
      [
        [1, 101],
        [2, 8],
      ],
    );
  });

  // [sessions, sum of durations in ms, seconds, minutes]
  const averages: [number, number, number, number][] = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [1, 499, 0, 0.01],
    [1, 500, 1, 0.01], // a tie in seconds
    [1, 300, 0, 0.01], // a tie in hundredths of a minute
    [1, 299, 0, 0],
    [2, 2_999, 1, 0.02],
    [2, 3_000, 2, 0.03], // 1.5 s is a tie; so are 2.5 hundredths of a minute
    [3, 100_000, 33, 0.56],
    [7, 100_000, 14, 0.24],
    [2, 5_000, 3, 0.04], // 2.5 s: away from zero, not to even
    [1, 61_500, 62, 1.03],
    [1, 60_300, 60, 1.01], // 1.005 min, which has no exact binary fraction
    [1, 86_399_999, 86_400, 1_440],
    [3_000_000_000, 3_000_000_000 * 86_399_500, 86_400, 1_439.99],
    [3_000_000, 3_000_000 * 1_500 - 1, 1, 0.02], // just below a tie
  ];
  it("rounds averages exactly, half away from zero", async () => {
    const date = (i: number): string => `2024-05-${String(i + 1).padStart(2, "0")}`;
    const rows = averages.map(([n, ms], i) =>
      rollupVersion({ date: date(i), session_count: n, session_duration_ms: ms, active_user_count: 1 }),
    );
    const { days } = await read(rows);
    assert.deepEqual(
      days.map((d) => [d.average_session_duration_sec, d.average_session_duration_min]),
      averages.map(([, , sec, min]) => [sec, min]),
    );
  });
});
