import assert from "node:assert/strict";
import type { TableMetadata } from "@google-cloud/bigquery";
import { dayOf, dayToIso, DAY_MS } from "@eventlogger/events/day";
import type { SetupStep } from "../../setup/setupStep";
import { readHorizon } from "../retention/horizon";
import { useBigQueryEmulator } from "../testing/useBigQueryEmulator";
import { setUpBigQuery } from "./setUpBigQuery";
import type { RetentionSetting } from "./setUpRetention";

describe("setUpBigQuery, retention of events", () => {
  const fixture = useBigQueryEmulator();

  async function setUp(dataset: string, eventRetention?: RetentionSetting): Promise<SetupStep> {
    const steps = await setUpBigQuery(fixture.bigquery, { dataset, eventRetention });
    return steps.find((step) => step.name === `${dataset}.events`) as SetupStep;
  }

  async function metadataOf(dataset: string, table = "events"): Promise<TableMetadata> {
    return ((await fixture.bigquery.dataset(dataset).table(table).getMetadata()) as [TableMetadata, unknown])[0];
  }

  /** The days before today and after a midnight that comes during the test. */
  const daysAgo = (days: number): string[] => [0, 1].map((more) => dayToIso(dayOf(Date.now()) - days + more));

  it("sets the retention of a new table, and reports it the second time", async () => {
    const created = await setUp("new_table", 30);
    assert.deepEqual(
      [created.outcome, created.detail],
      ["created", "rows are deleted 30 days after they were received"],
    );
    assert.deepEqual((await metadataOf("new_table")).timePartitioning, {
      ...{ type: "DAY", field: "received_date", expirationMs: String(30 * DAY_MS) },
    });
    for (const again of [await setUp("new_table", 30), await setUp("new_table")]) {
      assert.deepEqual([again.outcome, again.detail], ["exists", "rows are deleted 30 days after they were received"]);
    }
    // Only raw events are deleted.
    assert.deepEqual((await metadataOf("new_table", "daily_rollup_versions")).timePartitioning, {
      ...{ type: "DAY", field: "written_date" },
    });
  });

  it("changes and removes the retention, and remembers which rows were deleted", async () => {
    const dataset = await fixture.freshDataset();
    await fixture.bigquery
      .dataset(dataset)
      .table("events")
      .setMetadata({ labels: { team: "data" } });
    assert.equal((await setUp(dataset)).detail, undefined);
    assert.equal(await readHorizon(fixture.bigquery, dataset), undefined);

    const set = await setUp(dataset, 30);
    assert.equal(set.outcome, "updated");
    assert.match(
      set.detail ?? "",
      /^rows are deleted 30 days after they were received, before: never, rows received before \S+ are/,
    );
    assert.ok(daysAgo(29).includes((await readHorizon(fixture.bigquery, dataset))?.receivedSince ?? ""));

    const longer = await setUp(dataset, 60);
    assert.match(longer.detail ?? "", /^rows are deleted 60 days .*, before: after 30 days, rows received before /);
    // The rows that the shorter retention has deleted do not come back.
    assert.ok(daysAgo(29).includes((await readHorizon(fixture.bigquery, dataset))?.receivedSince ?? ""));

    const removed = await setUp(dataset, "none");
    assert.match(
      removed.detail ?? "",
      /^rows are no longer deleted, before: after 60 days, rows received before \S+ are deleted$/,
    );
    const { timePartitioning, labels } = await metadataOf(dataset);
    assert.deepEqual(timePartitioning, { type: "DAY", field: "received_date" });
    assert.equal((labels as Record<string, string>).team, "data");
    assert.ok(daysAgo(29).includes((await readHorizon(fixture.bigquery, dataset))?.receivedSince ?? ""));
    assert.match((await setUp(dataset, "none")).detail ?? "", /^rows received before \S+ are deleted$/);
  });

  it("reports another table whose rows are deleted, for example by the default of its dataset", async () => {
    const dataset = await fixture.freshDataset();
    const timePartitioning = { type: "DAY", field: "written_date", expirationMs: String(60 * DAY_MS) };
    await fixture.bigquery.dataset(dataset).table("daily_rollup_versions").setMetadata({ timePartitioning });
    const steps = await setUpBigQuery(fixture.bigquery, { dataset });
    const step = steps.find(({ name }) => name === `${dataset}.daily_rollup_versions`);
    assert.deepEqual(step?.differences, [
      "rows are deleted 60 days after they were written, but the numbers need all of them",
    ]);
  });
});
