import assert from "node:assert/strict";
import { runQuery } from "../query";
import { checkTables } from "./checkTables";
import { setUpBigQuery } from "./setUpBigQuery";
import { dailyRollupVersionsTable, deadLettersTable, eventsTable, type Column } from "../tables";
import { rollupVersion } from "../testing/rows";
import { useBigQueryEmulator } from "../testing/useBigQueryEmulator";
import { views } from "../views";

describe("setUpBigQuery", () => {
  const fixture = useBigQueryEmulator();

  it("creates the dataset, tables and views, and reports them as existing the second time", async () => {
    const first = await setUpBigQuery(fixture.bigquery, { dataset: "analytics" });
    assert.deepEqual(
      first.map((s) => `${s.kind} ${s.name} ${s.outcome}`),
      [
        "dataset analytics created",
        "table analytics.events created",
        "table analytics.daily_rollup_versions created",
        "table analytics.dead_letters created",
        "table analytics.accepted_ids created",
        "table analytics.generations created",
        "table analytics.weekly_retention_versions created",
        "table analytics.daily_breakdowns created",
        "table analytics.hourly_events created",
        "table analytics.anonymous_activity created",
        "view analytics.daily_rollup_latest created",
        "view analytics.daily_rollups created",
        "view analytics.daily_rollups_all created",
        "view analytics.events_unique created",
        "view analytics.weekly_retention_latest created",
        "view analytics.weekly_retention created",
        "view analytics.weekly_retention_all created",
        "view analytics.breakdowns created",
        "view analytics.hours created",
      ],
    );
    const second = await setUpBigQuery(fixture.bigquery, { dataset: "analytics" });
    assert.deepEqual([...new Set(second.map((s) => s.outcome))], ["exists"]);
    await runQuery(fixture.bigquery, "SELECT * FROM analytics.daily_rollups");
    await runQuery(fixture.bigquery, "SELECT * FROM analytics.weekly_retention");
  });

  it("can run twice at the same time", async () => {
    const both = await Promise.all([1, 2].map(() => setUpBigQuery(fixture.bigquery, { dataset: "twice" })));
    assert.deepEqual(
      both.map((steps) => steps.length),
      [19, 19],
    );
  });

  const layouts: [string, string, string[]][] = [
    ["events", "received_date", ["event_date", "event_name", "user_id"]],
    ["daily_rollup_versions", "written_date", ["generation", "date"]],
    ["accepted_ids", "written_date", ["event_date"]],
    ["weekly_retention_versions", "written_date", ["generation", "cohort_week"]],
    ["daily_breakdowns", "written_date", ["generation", "dimension", "date"]],
    ["hourly_events", "written_date", ["generation", "dimension", "date"]],
    ["anonymous_activity", "written_date", ["generation", "date"]],
  ];
  for (const [table, field, fields] of layouts) {
    it(`partitions the table ${table} by the day of ${field} and clusters it by ${fields.join(", ")}`, async () => {
      const dataset = await fixture.freshDataset();
      const [metadata] = (await fixture.bigquery.dataset(dataset).table(table).getMetadata()) as [
        { timePartitioning: unknown; clustering: unknown },
        unknown,
      ];
      assert.deepEqual(metadata.timePartitioning, { type: "DAY", field });
      assert.deepEqual(metadata.clustering, { fields });
    });
  }

  it("rejects tables with the partitioning of an earlier release, as the check before a run does, and names the steps", async () => {
    const old = [
      { table: eventsTable, added: "received_date", field: "event_date" },
      { table: dailyRollupVersionsTable, added: "written_date", field: "date" },
    ];
    await fixture.bigquery.createDataset("earlier");
    const dataset = fixture.bigquery.dataset("earlier");
    for (const { table, added, field } of old) {
      const fields = table.columns.filter((column) => column.name !== added);
      const timePartitioning = { type: "DAY", field };
      await dataset.createTable(table.name, { schema: { fields: [...fields] }, timePartitioning });
    }
    const steps =
      /BigQuery cannot change the partitioning of a table\. Rename these tables, .* or use a new dataset \(--dataset\)$/;
    const namesOf = (text: string): string[] =>
      [...text.matchAll(/Table (\S+) is partitioned by (\w+) as in an earlier release, not by (\w+),/g)].map((match) =>
        match.slice(1).join(" "),
      );
    const expected = old.map(({ table, added, field }) => `earlier.${table.name} ${field} ${added}`);
    await assert.rejects(setUpBigQuery(fixture.bigquery, { dataset: "earlier" }), ({ message }: Error) => {
      assert.deepEqual(namesOf(message), expected);
      assert.match(message, steps);
      return true;
    });
    const { problems } = await checkTables(fixture.bigquery, "earlier");
    assert.deepEqual(problems.flatMap(namesOf), expected);
    for (const { table, added } of old) {
      assert.ok(
        problems.some((text) => text.startsWith(`Table earlier.${table.name} lacks the columns ${added}. Big`)),
      );
      // As the steps demand. Only BigQuery can rename it.
      await dataset.table(table.name).delete();
    }
    await setUpBigQuery(fixture.bigquery, { dataset: "earlier" });
    assert.deepEqual((await checkTables(fixture.bigquery, "earlier")).problems, []);
  });

  it("replaces the query of the view daily_rollups of an earlier release, and keeps the rows that it shows", async () => {
    const name = await fixture.datasetWithGeneration();
    const dataset = fixture.bigquery.dataset(name);
    await dataset
      .table("daily_rollup_versions")
      .insert([
        rollupVersion({ date: "2024-05-01", version: 1, session_count: 1 }),
        rollupVersion({ date: "2024-05-01", version: 3, session_count: 3 }),
        rollupVersion({ date: "2024-05-02", version: 2, session_count: 2 }),
      ]);
    const query = `SELECT date, session_count FROM \`${fixture.project}.${name}.daily_rollup_versions\` WHERE TRUE
      QUALIFY ROW_NUMBER() OVER (PARTITION BY date ORDER BY version DESC) = 1`;
    await dataset.table("daily_rollup_latest").delete();
    await dataset.table("daily_rollups").setMetadata({ view: { query, useLegacySql: false } });
    const read = async (columns: string): Promise<string[]> => {
      const rows = await runQuery(fixture.bigquery, `SELECT ${columns} FROM ${name}.daily_rollups ORDER BY date`);
      return rows.map((row) =>
        columns
          .split(", ")
          .map((column) => row.number(column))
          .join(" "),
      );
    };
    assert.deepEqual(await read("session_count"), ["3", "2"]);
    await assert.rejects(read("session_count, version"));
    await setUpBigQuery(fixture.bigquery, { dataset: name });
    assert.deepEqual(await read("session_count, version"), ["3 3", "2 2"]);
  });

  it("rejects rollups without generations of an earlier release, as the check before a run does, and names the steps", async () => {
    await fixture.bigquery.createDataset("ungenerated");
    const dataset = fixture.bigquery.dataset("ungenerated");
    const { name, columns } = dailyRollupVersionsTable;
    const fields = columns.filter((column) => column.name !== "generation");
    const timePartitioning = { type: "DAY", field: "written_date" };
    await dataset.createTable(name, { schema: { fields }, timePartitioning, clustering: { fields: ["date"] } });
    const steps =
      /^Table ungenerated\.daily_rollup_versions lacks the columns generation\. An earlier release made it, .* RENAME TO daily_rollup_versions_old\), or drop it, run `eventlogger setup`, and then `eventlogger rebuild` /;
    await assert.rejects(setUpBigQuery(fixture.bigquery, { dataset: "ungenerated" }), ({ message }: Error) => {
      assert.match(message, steps);
      return true;
    });
    const { problems } = await checkTables(fixture.bigquery, "ungenerated");
    assert.equal(problems.filter((problem) => steps.test(problem)).length, 1, problems.join("\n"));
    await dataset.table(name).delete(); // as the steps say
    await setUpBigQuery(fixture.bigquery, { dataset: "ungenerated" });
    assert.deepEqual((await checkTables(fixture.bigquery, "ungenerated")).problems, []);
  });

  it("adds the columns and views of persons and retention to a dataset of an earlier release, and keeps the numbers that it shows", async () => {
    await fixture.bigquery.createDataset("users_only");
    const dataset = fixture.bigquery.dataset("users_only");
    const added = {
      events: ["original_event_time", ...["anonymous_id", "app", "platform", "referrer", "browser", "os", "is_bot"]],
      daily_rollup_versions: [
        ...["anonymous_user_count", "weekly_active_change", "monthly_active_change"],
        ...["bot_session_count", "bot_user_count"],
      ],
    };
    const isNew = (name: string): boolean => Object.values(added).some((names) => names.includes(name));
    for (const table of [eventsTable, dailyRollupVersionsTable]) {
      const fields = table.columns.filter((column) => !isNew(column.name));
      const timePartitioning = { type: "DAY", field: table.partitionBy };
      await dataset.createTable(table.name, { schema: { fields }, timePartitioning });
    }
    const version = rollupVersion({ date: "2024-05-01", session_count: 3, active_user_count: 2, new_user_count: 2 });
    const row = Object.fromEntries(Object.entries(version).filter(([name]) => !isNew(name)));
    await dataset.table("daily_rollup_versions").insert([row]);
    const steps = await setUpBigQuery(fixture.bigquery, { dataset: "users_only" });
    for (const [table, columns] of Object.entries(added)) {
      const step = steps.find(({ name }) => name === `users_only.${table}`);
      assert.deepEqual([step?.outcome, step?.detail], ["updated", `added ${columns.join(", ")}`]);
    }
    const created = steps.filter(({ name, outcome }) => name.includes("retention") && outcome === "created");
    assert.equal(created.length, 4);
    const read = async (): Promise<string[]> => {
      const columns = ["active_user_count", "total_users", "wau", "mau", "anonymous_user_count", "bot_session_count"];
      const rows = await runQuery(fixture.bigquery, "SELECT * FROM users_only.daily_rollups_all ORDER BY date");
      return rows.map((one) => columns.map((column) => one.number(column)).join(" "));
    };
    assert.deepEqual(await read(), ["2 2 0 0 0 0"]);
    const changes = {
      weekly_active_change: 1,
      monthly_active_change: 2,
      anonymous_user_count: 1,
      bot_session_count: 5,
    };
    await dataset.table("daily_rollup_versions").insert([rollupVersion({ date: "2024-05-02", ...changes })]);
    assert.deepEqual(await read(), ["2 2 0 0 0 0", "0 2 1 2 1 5"]);
    assert.deepEqual((await checkTables(fixture.bigquery, "users_only")).problems, []);
  });

  it("adds missing nullable columns to an older table and keeps its rows", async () => {
    await fixture.bigquery.createDataset("older");
    const dataset = fixture.bigquery.dataset("older");
    const fields = eventsTable.columns.filter((c) => c.name !== "city" && c.name !== "region");
    await dataset.createTable("events", { schema: { fields: [...fields] } });
    const row = { event_id: "1", session_id: "s", event_name: "n", event_time: "2024-01-01T00:00:00Z" };
    const rest = { event_date: "2024-01-01", received_at: "2024-01-01T00:00:00Z", received_date: "2024-01-01" };
    await dataset.table("events").insert([{ ...row, ...rest }]);
    const steps = await setUpBigQuery(fixture.bigquery, { dataset: "older" });
    const step = steps.find((s) => s.name === "older.events");
    assert.deepEqual([step?.outcome, step?.detail], ["updated", "added region, city"]);
    await dataset.table("events").insert([{ ...row, ...rest, event_id: "2", city: "Rome" }]);
    const rows = await runQuery(fixture.bigquery, "SELECT event_id, IFNULL(city, '-') AS city FROM older.events");
    assert.deepEqual(rows.map((r) => `${r.text("event_id")} ${r.text("city")}`).sort(), ["1 -", "2 Rome"]);
  });

  it("describes the columns of an existing table, keeps those of other columns, and reports how many descriptions it has changed", async () => {
    await fixture.bigquery.createDataset("described");
    const dataset = fixture.bigquery.dataset("described");
    const { name, columns, partitionBy } = deadLettersTable;
    const [first, second, ...others] = columns;
    assert(first && second);
    const undescribed = { name: first.name, type: first.type, mode: first.mode };
    const own = { name: "team", type: "STRING", description: "Who looks after it" };
    const fields = [undescribed, { ...second, description: "An earlier text" }, ...others, own];
    await dataset.createTable(name, { schema: { fields }, timePartitioning: { type: "DAY", field: partitionBy } });
    const steps = await setUpBigQuery(fixture.bigquery, { dataset: "described" });
    const step = steps.find((one) => one.name === `described.${name}`);
    assert.deepEqual([step?.outcome, step?.detail], ["updated", "2 descriptions of columns"]);
    const [metadata] = (await dataset.table(name).getMetadata()) as [{ schema: { fields: Column[] } }, unknown];
    assert.deepEqual(
      metadata.schema.fields.map((field) => [field.name, field.description]),
      [...columns, own].map((column) => [column.name, column.description]),
    );
    const again = await setUpBigQuery(fixture.bigquery, { dataset: "described" });
    assert.deepEqual([...new Set(again.map(({ outcome }) => outcome))], ["exists"]);
  });

  it("every column of every view has a description, in the order of the columns", async () => {
    const dataset = await fixture.freshDataset();
    for (const { name, columns } of views) {
      const [job] = await fixture.bigquery.createQueryJob({ query: `SELECT * FROM ${dataset}.${name} LIMIT 0` });
      const [, , answer] = await job.getQueryResults({ autoPaginate: false });
      assert.deepEqual(
        answer?.schema?.fields?.map((field) => field.name),
        Object.keys(columns),
        name,
      );
      for (const [column, description] of Object.entries(columns)) assert.notEqual(description, "", column);
    }
  });

  it("rejects a table that lacks required columns, and names it", async () => {
    await fixture.bigquery.createDataset("foreign");
    await fixture.bigquery.dataset("foreign").createTable("events", { schema: [{ name: "x", type: "STRING" }] });
    await assert.rejects(
      setUpBigQuery(fixture.bigquery, { dataset: "foreign" }),
      /Table foreign.events lacks the columns event_id, .*--dataset/,
    );
  });

  it("rejects columns that the pipeline cannot write, and names them", async () => {
    await fixture.bigquery.createDataset("mistyped");
    const fields = eventsTable.columns.map((c) => (c.name === "user_id" ? { ...c, type: "INT64" } : c));
    await fixture.bigquery
      .dataset("mistyped")
      .createTable("events", { schema: { fields: [...fields, { name: "x", type: "STRING", mode: "REQUIRED" }] } });
    await assert.rejects(
      setUpBigQuery(fixture.bigquery, { dataset: "mistyped" }),
      /Column user_id of table mistyped.events has type INT64, but the pipeline writes STRING\. Column x .* is required, but the/,
    );
  });

  it("reports a table with another layout and a dataset in another location as differences", async () => {
    await fixture.bigquery.createDataset("layout", { location: "US" });
    const { columns } = eventsTable;
    await fixture.bigquery.dataset("layout").createTable("events", { schema: { fields: [...columns] } });
    const steps = await setUpBigQuery(fixture.bigquery, { dataset: "layout", location: "EU" });
    assert.deepEqual(steps[0]?.differences, ["located in US, which cannot be changed"]);
    assert.deepEqual(steps[1]?.differences, [
      "not partitioned by the day of received_date, so that queries over a few days read the whole table",
      "not clustered by event_date, event_name, user_id",
    ]);
    assert.equal(steps[2]?.differences, undefined);
  });
});
