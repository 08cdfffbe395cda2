import assert from "node:assert/strict";
import { readDailyRollups } from "./dailyRollups";
import {
  activateGeneration,
  createGeneration,
  GenerationExistsError,
  GenerationSettingsError,
  GenerationTransitionError,
  generationsReference,
  readActiveGeneration,
  readGeneration,
  readGenerations,
  recordGeneration,
  recordJob,
  recordRebuild,
  recordResources,
  replaceGenerationSettings,
  requireGenerationSettings,
  retireGeneration,
  type Generation,
  type GenerationSettings,
} from "./generations";
import { runQuery } from "./query";
import { LabelledGeneration } from "./stateLabels";
import { rollupVersion } from "./testing/rows";
import { useBigQueryEmulator } from "./testing/useBigQueryEmulator";

const settings: GenerationSettings = { sessionGapMs: 1_800_000, stateFormat: 3 };
const other: GenerationSettings = { ...settings, sessionGapMs: 60_000, timeZone: "Europe/Berlin" };

describe("the table generations", () => {
  const fixture = useBigQueryEmulator();
  let dataset: string;
  beforeEach(async () => {
    dataset = await fixture.freshDataset();
  });

  /** The statuses of all generations, such as `1 retired, 2 active`. */
  async function statuses(): Promise<string> {
    const all = await readGenerations(fixture.bigquery, dataset);
    return all.map(({ generation, status }) => `${generation} ${status}`).join(", ");
  }
  const record = (): Promise<Generation> => recordGeneration(fixture.bigquery, dataset, settings);
  const create = (rebuild?: unknown): Promise<Generation> =>
    createGeneration(fixture.bigquery, dataset, {
      settings: other,
      resources: (id) => ({
        subscription: `events-g${id}`,
        replayTopic: `events-replay-g${id}`,
        replaySubscription: `events-replay-g${id}`,
      }),
      rebuild,
    });

  it("has no active generation after setup, and keeps the first settings that a run records", async () => {
    assert.equal(await readActiveGeneration(fixture.bigquery, dataset), undefined);
    const first = await record();
    const { createdAt, activatedAt, ...rest } = first;
    assert.deepEqual(rest, {
      ...{ generation: 1, status: "active", settings, retiredAt: null },
      ...{ subscription: null, replayTopic: null, replaySubscription: null },
      ...{ job: null, rebuild: null, state: null, lease: null },
    });
    assert.equal(activatedAt, createdAt);
    assert.deepEqual(await recordGeneration(fixture.bigquery, dataset, other), first);
    assert.deepEqual(await readActiveGeneration(fixture.bigquery, dataset), first);
    await replaceGenerationSettings(fixture.bigquery, dataset, 1, other);
    assert.deepEqual((await readActiveGeneration(fixture.bigquery, dataset))?.settings, other);
  });

  it("has one first generation when several runs start at the same moment", async () => {
    const all = await Promise.all([record(), record(), record()]);
    assert.deepEqual(
      all.map(({ generation, settings: used }) => [generation, used]),
      all.map(() => [1, settings]),
    );
    const rows = await runQuery(
      fixture.bigquery,
      `SELECT status FROM ${generationsReference(fixture.bigquery, dataset)}`,
    );
    assert.deepEqual(
      rows.map((row) => row.text("status")),
      ["active"],
    );
  });

  it("creates a generation with its own resources, and records what computes it and how far it is", async () => {
    await assert.rejects(create(), /has no active generation/);
    await record();
    const created = await create({ phase: "creating" });
    assert.deepEqual(
      [created.generation, created.status, created.settings, created.activatedAt, created.rebuild],
      [2, "building", other, null, { phase: "creating" }],
    );
    assert.deepEqual(
      [created.subscription, created.replayTopic, created.replaySubscription],
      ["events-g2", "events-replay-g2", "events-replay-g2"],
    );
    const job = { runner: "flink", stateDirectory: "/state/generation-2", host: "h" } as const;
    await recordJob(fixture.bigquery, dataset, 2, job);
    await recordRebuild(fixture.bigquery, dataset, 2, { phase: "replaying", rows: 12, name: "it's" });
    await recordResources(fixture.bigquery, dataset, 2, { replayTopic: null, subscription: "events" });
    assert.deepEqual(await readGeneration(fixture.bigquery, dataset, 2), {
      ...created,
      ...{ job, rebuild: { phase: "replaying", rows: 12, name: "it's" } },
      ...{ replayTopic: null, subscription: "events" },
    });
    await recordRebuild(fixture.bigquery, dataset, 2, null);
    assert.equal((await readGeneration(fixture.bigquery, dataset, 2))?.rebuild, null);
    await assert.rejects(recordRebuild(fixture.bigquery, dataset, 3, null), /has no generation 3/);
    assert.equal(await readGeneration(fixture.bigquery, dataset, 3), undefined);
  });

  it("lets one of several callers create the next generation, and names it to the others", async () => {
    await record();
    const results = await Promise.allSettled([create(), create(), create()]);
    const created = results.filter((result) => result.status === "fulfilled");
    assert.deepEqual(
      created.map(({ value }) => value.generation),
      [2],
    );
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      assert.ok(result.reason instanceof GenerationExistsError, String(result.reason));
      assert.equal(result.reason.generation, 2);
    }
    assert.equal(await statuses(), "1 active, 2 building");
    const [row] = await runQuery(
      fixture.bigquery,
      `SELECT COUNT(*) AS n FROM ${generationsReference(fixture.bigquery, dataset)}`,
    );
    assert.equal(row?.number("n"), 2);
    await assert.rejects(create(), GenerationExistsError);
  });

  it("activates a generation and retires the one before it in one step, and never uses an id again", async () => {
    await record();
    await create();
    await activateGeneration(fixture.bigquery, dataset, 2);
    assert.equal(await statuses(), "1 retired, 2 active");
    const [first, second] = await readGenerations(fixture.bigquery, dataset);
    assert.equal(first?.retiredAt, second?.activatedAt);
    await activateGeneration(fixture.bigquery, dataset, 2);
    assert.deepEqual(await readGeneration(fixture.bigquery, dataset, 2), second, "activated twice");
    await create();
    await retireGeneration(fixture.bigquery, dataset, 3);
    await retireGeneration(fixture.bigquery, dataset, 3);
    assert.equal((await create()).generation, 4);
    assert.equal(await statuses(), "1 retired, 2 active, 3 retired, 4 building");
  });

  it("keeps the generation that was active for a comparison on demand, and switches back to it", async () => {
    await record();
    await create();
    await activateGeneration(fixture.bigquery, dataset, 2, { keepOld: true });
    assert.equal(await statuses(), "1 building, 2 active");
    await assert.rejects(create(), /Generation 1 .* is kept for a comparison/);
    await activateGeneration(fixture.bigquery, dataset, 1);
    assert.equal(await statuses(), "1 active, 2 retired");
    await activateGeneration(fixture.bigquery, dataset, 2, { fromRetired: true });
    assert.equal(await statuses(), "1 retired, 2 active");
    assert.equal((await readGeneration(fixture.bigquery, dataset, 2))?.retiredAt, null);
  });

  it("refuses to activate an unknown, an aborted or a retired generation, and to retire the active one", async () => {
    await record();
    await create();
    await retireGeneration(fixture.bigquery, dataset, 2);
    await create();
    await activateGeneration(fixture.bigquery, dataset, 3);
    const refused: [() => Promise<void>, RegExp][] = [
      [
        () => activateGeneration(fixture.bigquery, dataset, 9),
        /Cannot activate generation 9 of dataset .*: it does not exist/,
      ],
      [
        () => activateGeneration(fixture.bigquery, dataset, 2, { fromRetired: true }),
        /it was aborted before its numbers/,
      ],
      [() => activateGeneration(fixture.bigquery, dataset, 1), /it was retired at \d{4}-/],
      [() => retireGeneration(fixture.bigquery, dataset, 3), /it is active, and readers would see no numbers/],
      [() => retireGeneration(fixture.bigquery, dataset, 9), /it does not exist/],
    ];
    for (const [call, message] of refused) {
      await assert.rejects(call(), (error: unknown) => {
        assert.ok(error instanceof GenerationTransitionError, String(error));
        assert.match(error.message, message);
        return true;
      });
    }
    assert.equal(await statuses(), "1 retired, 2 retired, 3 active");
  });

  it("shows readers the numbers of the active generation only, and every generation in daily_rollups_all", async () => {
    await record();
    const rows = [
      rollupVersion({ generation: 1, date: "2024-05-01", version: 9, session_count: 1, new_user_count: 1 }),
      rollupVersion({ generation: 2, date: "2024-05-01", version: 3, session_count: 5, new_user_count: 2 }),
      rollupVersion({ generation: 2, date: "2024-05-02", version: 4, session_count: 6, new_user_count: 3 }),
      rollupVersion({ generation: 2, date: "2024-05-02", version: 5, session_count: 7, new_user_count: 4 }),
    ];
    await fixture.bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    await create();
    const days = async (): Promise<string[]> =>
      (await readDailyRollups(fixture.bigquery, dataset)).days.map(
        (day) => `${day.date} ${day.session_count} ${day.total_users}`,
      );
    assert.deepEqual(await days(), ["2024-05-01 1 1"]);
    await activateGeneration(fixture.bigquery, dataset, 2);
    assert.deepEqual(await days(), ["2024-05-01 5 2", "2024-05-02 7 6"]);
    const all = await runQuery(
      fixture.bigquery,
      `SELECT generation, date, session_count, total_users FROM ${dataset}.daily_rollups_all ORDER BY generation, date`,
    );
    assert.deepEqual(
      all.map((row) => ["generation", "session_count", "total_users"].map((column) => row.number(column)).join(" ")),
      ["1 1 1", "2 5 2", "2 7 6"],
    );
  });

  it("the highest version of a generation is one of its days or of its cohorts", async () => {
    await record();
    const highest = (generation: number) => new LabelledGeneration(fixture.bigquery, dataset, generation).maxVersion();
    assert.equal(await highest(1), 0);
    const day = { date: "2024-05-01", version: 9 };
    const tables = fixture.bigquery.dataset(dataset);
    await tables.table("daily_rollup_versions").insert([rollupVersion(day)]);
    assert.equal(await highest(1), 9);
    const { updated_at, written_date } = rollupVersion(day);
    const cohort = { cohort_week: "2024-04-29", week_offset: 0, person_count: 1, updated_at, written_date };
    await tables.table("weekly_retention_versions").insert([
      { ...cohort, generation: 1, version: 11 },
      { ...cohort, generation: 2, version: 12 },
    ]);
    assert.equal(await highest(1), 11);
  });

  it("a run whose settings differ from those of the dataset is refused, and the error names both values", () => {
    const recorded = { settings: { ...settings, shardHashSecret: "0123456789abcdef0123456789abcdef" } };
    requireGenerationSettings("analytics", recorded, settings);
    requireGenerationSettings("analytics", recorded, { ...settings, timeZone: "UTC" });
    const wanted = { ...other, stateFormat: 4, countBots: true };
    assert.throws(
      () => requireGenerationSettings("analytics", recorded, wanted),
      (error: unknown) => {
        assert.ok(error instanceof GenerationSettingsError);
        assert.match(
          error.message,
          /dataset analytics .*: the session gap is 1800 s in the dataset, but 60 s in this run /,
        );
        assert.match(
          error.message,
          /; the time zone is UTC in the dataset, but Europe\/Berlin in this run \(--time-zone\)/,
        );
        assert.match(error.message, /; bots do not count in the dataset, but count in this run \(--count-bots\)/);
        assert.match(error.message, /; the state has format 3 in the dataset, but this release reads format 4/);
        return true;
      },
    );
    // Recorded by a release before formats had numbers.
    const first: GenerationSettings = { sessionGapMs: settings.sessionGapMs };
    assert.throws(
      () => requireGenerationSettings("analytics", { settings: first }, settings),
      /the state has format 1 in the dataset, but this release reads format 3/,
    );
  });
});
