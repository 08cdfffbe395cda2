import assert from "node:assert/strict";
import { dayOf } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { dayDelta, type DayVersion } from "@eventlogger/events/totals/totals";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import type { TableName } from "@eventlogger/gcp/bigquery/tables";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { eventRow } from "./eventRow";
import type { SinkInputs } from "./sinkRows";
import { WriteRows } from "./writeRows";

const GAP_MS = 30 * 60_000;

/** The versions for one event of a new user: of its day, and of the days on which the user is no longer active in the last 7 and 30 days. */
function versionsOf({ event_time }: AnalyticsEvent): DayVersion[] {
  const day = dayOf(event_time);
  const counts = { sessions: 1, activeUsers: 1, newUsers: 1, weeklyActiveChange: 1, monthlyActiveChange: 1 };
  return [
    dayDelta(day, counts),
    dayDelta(day + 7, { weeklyActiveChange: -1 }),
    dayDelta(day + 30, { monthlyActiveChange: -1 }),
  ].map((delta) => ({ ...delta, generation: 1, version: 1, updatedAt: Date.now() }));
}

describe("events of old days", () => {
  const fixture = useBigQueryEmulator();

  it("are written to events, and their days to daily_rollup_versions, although BigQuery refuses old partitions", async () => {
    const dataset = await fixture.datasetWithGeneration();
    async function write<T extends TableName>(table: T, inputs: readonly SinkInputs[T][]): Promise<void> {
      const target = { project: fixture.project, dataset, endpoint: fixture.emulator.url };
      const doFn = new WriteRows(target, table, 2000);
      for (const input of inputs) await doFn.process(input, () => assert.fail("process emits nothing"));
      await doFn.finishBundle((refused) => assert.fail(`refused: ${JSON.stringify(refused)}`));
    }
    const old = ["1970-01-01", "2011-03-04", "2020-02-29"].map((day, i) =>
      event({
        event_time: Date.parse(`${day}T12:00:00Z`),
        session_id: day,
        user_id: `user-${i}`,
        received_at: Date.now(),
      }),
    );
    // Another publisher than ingest can claim any time of receipt.
    const claimed = event({
      event_time: Date.parse("2012-03-04T12:00:00Z"),
      session_id: "claimed",
      user_id: "user-3",
      received_at: Date.parse("2012-03-04T12:00:01Z"),
    });
    const events = [...old, claimed, event({ event_time: Date.now(), session_id: "new", user_id: "user-4" })];

    await write("events", events.map(eventRow));
    await write("daily_rollup_versions", events.flatMap(versionsOf));

    const rows = await runQuery(fixture.bigquery, `SELECT event_id FROM ${dataset}.events_unique`);
    assert.deepEqual(rows.map((row) => row.text("event_id")).sort(), events.map((e) => e.event_id).sort());
    assert.equal((await readDailyRollups(fixture.bigquery, dataset)).total_users, 5);
    const { differences, equalDays } = await verifyDataset(fixture.bigquery, { dataset, gapMs: GAP_MS });
    assert.deepEqual({ differences, equalDays }, { differences: [], equalDays: 5 });
  });
});
