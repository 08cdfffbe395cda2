import assert from "node:assert/strict";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceRollups } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { validateEvent } from "@eventlogger/events/validation";
import { eventRow } from "./eventRow";
import type { RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { createGeneration } from "@eventlogger/gcp/bigquery/generations";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { event, rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import type { RollupComparison } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";

const GAP_MS = 30 * 60_000;
const DAY = Date.parse("2024-05-01T00:00:00Z");
const HOUR = 3_600_000;
const isoDate = (ddMmYyyy: string): string => ddMmYyyy.split("/").reverse().join("-");

describe("verifyDataset, rollups", function () {
  this.timeout(60_000);
  const fixture = useBigQueryEmulator();

  async function verify(
    events: AnalyticsEvent[],
    rollups: RollupVersionRow[],
    gapMs = GAP_MS,
  ): Promise<Pick<RollupComparison, "differences" | "equalDays"> & { lines: string[] }> {
    const dataset = fixture.bigquery.dataset(await fixture.freshDataset());
    for (let i = 0; i < events.length; i += 500) {
      await dataset.table("events").insert(events.slice(i, i + 500).map(eventRow));
    }
    if (rollups.length) await dataset.table("daily_rollup_versions").insert(rollups);
    const { differences, equalDays } = await verifyDataset(fixture.bigquery, { dataset: dataset.id as string, gapMs });
    const lines = differences.map((d) => `${d.date} ${d.number} ${d.expected} ${d.actual}`);
    return { differences, equalDays, lines };
  }

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
    rollupVersion({ date: "2024-04-30", session_count: 1, active_user_count: 1, new_user_count: 1 }),
    rollupVersion({
      date: "2024-05-01",
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
    const settings = { sessionGapMs: GAP_MS + 1, stateFormat: 3 };
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
    [{ new_user_count: 0 }, ["2024-05-01 new_user_count 1 0", "2024-05-01 total_users 2 1"]],
  ];
  for (const [change, expected] of changes) {
    it(`verify finds a wrong ${Object.keys(change)[0]}`, async () => {
      const [first, second] = correct as [RollupVersionRow, RollupVersionRow];
      const { lines, equalDays } = await verify(events, [first, second, { ...second, version: 2, ...change }]);
      assert.deepEqual(lines, expected);
      assert.equal(equalDays, 1);
    });
  }

  it("verify agrees with brute force on generated traffic", async () => {
    const now = DAY + 20 * HOUR;
    const generated = [...generateTraffic({ count: 4000, seed: 7, days: 5, users: 300, now, duplicateShare: 0.1 })].map(
      (input) => {
        const result = validateEvent(input, now);
        assert.ok(result.ok);
        return result.event;
      },
    );
    const report = bruteForceRollups(generated, GAP_MS);
    // The report has averages, not sums. For rollups without durations, verify reports the averages that it expects.
    const rollups = report.daily_stats.map(({ date, session_count, active_user_count, new_user_count }) =>
      rollupVersion({ date: isoDate(date), session_count, active_user_count, new_user_count }),
    );
    const { lines, differences } = await verify(generated, rollups);
    assert.deepEqual(
      lines.filter((line) => !/session_duration/.test(line)),
      [],
    );
    const averages = new Map(differences.map((d) => [`${d.date} ${d.number}`, d.expected]));
    for (const { date, average_session_duration_sec: sec, average_session_duration_min: min } of report.daily_stats) {
      assert.equal(averages.get(`${isoDate(date)} average_session_duration_sec`), sec);
      assert.equal(averages.get(`${isoDate(date)} average_session_duration_min`), min);
    }
    assert.ok(report.daily_stats.length >= 6);
  });
});
