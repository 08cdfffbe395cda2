import assert from "node:assert/strict";
import {
  GenerationSettingsError,
  readActiveGeneration,
  recordGeneration,
  replaceGenerationSettings,
  requireGenerationSettings,
  type GenerationSettings,
} from "./generations";
import { useBigQueryEmulator } from "./testing/useBigQueryEmulator";

const settings: GenerationSettings = { sessionGapMs: 1_800_000, stateFormat: 2 };

describe("the table generations", function () {
  this.timeout(60_000);
  const fixture = useBigQueryEmulator();

  it("has no active generation after setup, and keeps the first settings that a run records", async () => {
    const dataset = await fixture.freshDataset();
    assert.equal(await readActiveGeneration(fixture.bigquery, dataset), undefined);
    const first = { generation: 1, settings };
    assert.deepEqual(await recordGeneration(fixture.bigquery, dataset, settings), first);
    const other = { ...settings, sessionGapMs: 60_000, shardHashSecret: "0123456789abcdef0123456789abcdef" };
    assert.deepEqual(await recordGeneration(fixture.bigquery, dataset, other), first);
    assert.deepEqual(await readActiveGeneration(fixture.bigquery, dataset), first);
    await replaceGenerationSettings(fixture.bigquery, dataset, other);
    assert.deepEqual(await readActiveGeneration(fixture.bigquery, dataset), { generation: 1, settings: other });
  });

  it("a run whose settings differ from those of the dataset is refused, and the error names both values", () => {
    const recorded = { generation: 1, settings: { ...settings, shardHashSecret: "0123456789abcdef0123456789abcdef" } };
    requireGenerationSettings("analytics", recorded, settings);
    assert.throws(
      () => requireGenerationSettings("analytics", recorded, { ...settings, sessionGapMs: 60_000, stateFormat: 3 }),
      (error: unknown) =>
        error instanceof GenerationSettingsError &&
        /dataset analytics .*: the session gap is 1800 s in the dataset, but 60 s in this run .*; the state has format 2 in the dataset, but this release reads format 3/.test(
          error.message,
        ),
    );
    // Recorded by a release before formats had numbers.
    const first: GenerationSettings = { sessionGapMs: settings.sessionGapMs };
    assert.throws(
      () => requireGenerationSettings("analytics", { generation: 1, settings: first }, settings),
      /the state has format 1 in the dataset, but this release reads format 2/,
    );
  });
});
