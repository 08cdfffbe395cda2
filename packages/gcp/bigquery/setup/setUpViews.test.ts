import assert from "node:assert/strict";
import type { BigQuery } from "@google-cloud/bigquery";
import type { SetupStep } from "../../setup/setupStep";
import { FakeBigQuery } from "../../testing/fakeBigQuery";
import { FakeServer, googleError } from "../../testing/fakeServer";
import { bigQueryClient, isGoogleService } from "../client";
import { views } from "../views";
import { setUpBigQuery } from "./setUpBigQuery";

/** The query of the view daily_rollups before the materialized view; only its beginning matters. */
const EARLIER_QUERY = "SELECT date FROM (SELECT * FROM versions QUALIFY ROW_NUMBER() OVER (PARTITION BY date) = 1)";

describe("setUpBigQuery on Google's service", () => {
  let fake: FakeBigQuery;
  let server: FakeServer;
  let bigquery: BigQuery;
  beforeEach(async () => {
    fake = new FakeBigQuery();
    server = await FakeServer.start([fake.service]);
    bigquery = bigQueryClient({ project: "demo-project", endpoint: server.url }, { autoRetry: false });
  });
  afterEach(() => server.stop());

  /** The steps of the views by name. */
  async function setUp(options: { materializedViews?: boolean } = { materializedViews: true }) {
    const steps = await setUpBigQuery(bigquery, { dataset: "d", ...options });
    return Object.fromEntries(steps.map((step) => [step.name, step])) as Record<
      "d.daily_rollups" | "d.daily_rollup_latest",
      SetupStep
    >;
  }
  const queryOf = (name: string): string => JSON.stringify(fake.tables.get(name));

  it("materialized views are for Google's service, not for emulators", () => {
    assert.equal(isGoogleService(bigQueryClient({ project: "p" })), true);
    assert.equal(isGoogleService(bigquery), false);
  });

  it("setup creates a materialized view of the newest versions, and the view daily_rollups over it", async () => {
    const steps = await setUp();
    assert.deepEqual(
      [steps["d.daily_rollup_latest"], steps["d.daily_rollups"]],
      [
        { kind: "view", name: "d.daily_rollup_latest", outcome: "created", detail: "materialized" },
        { kind: "view", name: "d.daily_rollups", outcome: "created" },
      ],
    );
    assert.match(
      fake.tables.get("d.daily_rollup_latest")?.materializedView?.query ?? "",
      /MAX_BY\(session_count, version\)/,
    );
    assert.match(queryOf("d.daily_rollups"), /"view":.*FROM `demo-project\.d\.daily_rollup_latest`/);
    const again = await setUp();
    assert.deepEqual([...new Set(Object.values(again).map(({ outcome }) => outcome))], ["exists"]);
  });

  it("setup on an emulator creates plain views with the same queries", async () => {
    await setUp();
    const materialized = fake.tables.get("d.daily_rollup_latest")?.materializedView?.query;
    fake.tables.clear();
    await setUp({});
    assert.deepEqual(fake.tables.get("d.daily_rollup_latest")?.["view"], {
      query: materialized,
      useLegacySql: false,
    });
  });

  it("setup updates the view daily_rollups of an earlier release in place", async () => {
    await setUp();
    const [latest, current] = [fake.tables.get("d.daily_rollup_latest"), fake.tables.get("d.daily_rollups")];
    assert(latest && current);
    fake.tables.delete("d.daily_rollup_latest");
    const access = { iam: "granted to readers" };
    fake.tables.set("d.daily_rollups", { ...current, ...access, view: { query: EARLIER_QUERY, useLegacySql: false } });
    const steps = await setUp();
    assert.equal(steps["d.daily_rollup_latest"].outcome, "created");
    assert.deepEqual([steps["d.daily_rollups"].outcome, steps["d.daily_rollups"].detail], ["updated", "new query"]);
    assert.deepEqual(fake.tables.get("d.daily_rollups"), { ...current, ...access });
    assert.equal(server.requestsTo(/^DELETE/).length, 0);
  });

  it("setup creates a materialized view again when its query has changed, or when its table is new", async () => {
    await setUp();
    const current = fake.tables.get("d.daily_rollup_latest");
    assert(current);
    fake.tables.set("d.daily_rollup_latest", { ...current, materializedView: { query: "SELECT 1" } });
    assert.equal((await setUp())["d.daily_rollup_latest"].detail, "new query");
    assert.deepEqual(fake.tables.get("d.daily_rollup_latest"), current);
    fake.tables.delete("d.daily_rollup_versions");
    assert.equal((await setUp())["d.daily_rollup_latest"].detail, "created again, because its table is new");
    fake.tables.delete("d.events");
    assert.equal((await setUp())["d.daily_rollup_latest"].outcome, "exists");
    assert.equal(server.requestsTo(/^DELETE .*daily_rollup_latest$/).length, 2);
  });

  it("setup creates a plain view when BigQuery refuses a materialized one, reports it, and keeps it", async () => {
    fake.hasMaterializedViews = false;
    const refused = (await setUp())["d.daily_rollup_latest"];
    assert.equal(refused.outcome, "created");
    assert.match(
      refused.differences?.join() ?? "",
      /not materialized, .* \(BigQuery refused .*: Materialized views are not/,
    );
    fake.hasMaterializedViews = true;
    const kept = (await setUp())["d.daily_rollup_latest"];
    assert.equal(kept.outcome, "exists");
    assert.match(kept.differences?.join() ?? "", /not materialized, .* delete it and run setup again/);
  });

  const descriptionsOf = (name: string): Record<string, string | undefined> =>
    Object.fromEntries(
      (fake.tables.get(`d.${name}`)?.schema?.fields ?? []).map((field) => [field.name, field.description]),
    );

  it("setup describes every column of every view, again when a query has changed, and reports descriptions that it has changed", async () => {
    await setUp();
    for (const { name, columns } of views) assert.deepEqual(descriptionsOf(name), columns, name);
    const current = fake.tables.get("d.daily_rollups");
    assert(current?.schema);
    const [first, second, ...others] = current.schema.fields;
    assert(first && second);
    const edited = [{ ...first, description: "mine" }, { ...second, description: "" }, ...others];
    fake.tables.set("d.daily_rollups", { ...current, schema: { fields: edited } });
    const step = (await setUp())["d.daily_rollups"];
    assert.deepEqual([step.outcome, step.detail], ["updated", "2 descriptions of columns"]);
    assert.deepEqual(fake.tables.get("d.daily_rollups"), current);
    fake.tables.set("d.daily_rollups", { ...current, view: { query: EARLIER_QUERY, useLegacySql: false } });
    assert.equal((await setUp())["d.daily_rollups"].detail, "new query");
    assert.deepEqual(fake.tables.get("d.daily_rollups"), current);
    assert.equal((await setUp())["d.daily_rollups"].outcome, "exists");
  });

  it("setup works when BigQuery refuses descriptions of a materialized view, and fails when it refuses those of another view", async () => {
    server.fail({ match: /^PATCH .*\/daily_rollup_latest$/, answer: googleError(400, "not supported"), times: 2 });
    assert.equal((await setUp())["d.daily_rollup_latest"].outcome, "created");
    assert.equal((await setUp())["d.daily_rollup_latest"].outcome, "exists");
    assert.equal((await setUp())["d.daily_rollup_latest"].detail, "13 descriptions of columns");
    const current = fake.tables.get("d.daily_rollups");
    assert(current);
    const access = { match: /^PATCH .*\/daily_rollups$/, answer: googleError(403, "Access Denied") };
    server.fail(access);
    fake.tables.set("d.daily_rollups", { ...current, schema: { fields: [{ name: "date" }] } });
    await assert.rejects(setUp(), /Permission bigquery\.tables\.update is missing on view d\.daily_rollups/);
  });

  it("setup names the missing permission when a materialized view with an earlier query may not be deleted", async () => {
    await setUp();
    const current = fake.tables.get("d.daily_rollup_latest");
    assert(current);
    fake.tables.set("d.daily_rollup_latest", { ...current, materializedView: { query: "SELECT 1" } });
    server.fail({ match: /^DELETE /, answer: googleError(403, "Access Denied") });
    await assert.rejects(setUp(), /Permission bigquery\.tables\.delete is missing on view d\.daily_rollup_latest/);
  });
});
