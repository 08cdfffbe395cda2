import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BigQuery } from "@google-cloud/bigquery";
import { startBigQueryEmulator, type BigQueryEmulator } from "../../emulators/emulators";
import { bigQueryClient } from "../client";
import { PERSONS_STATE_FORMAT, recordGeneration, type GenerationSettings } from "../generations";
import { setUpBigQuery } from "../setup/setUpBigQuery";

const DEFAULT_SETTINGS: GenerationSettings = { sessionGapMs: 1_800_000, stateFormat: PERSONS_STATE_FORMAT };

export interface EmulatorFixture {
  readonly project: string;
  readonly bigquery: BigQuery;
  readonly emulator: BigQueryEmulator;
  /** Creates a dataset with all tables and views. @returns its name */
  freshDataset(): Promise<string>;
  /** As {@link freshDataset}, with an active generation 1. @returns its name */
  datasetWithGeneration(settings?: GenerationSettings): Promise<string>;
}

/** Runs a BigQuery emulator for the tests of the enclosing `describe`. */
export function useBigQueryEmulator(): EmulatorFixture {
  const project = "demo-project";
  let dir: string;
  let emulator: BigQueryEmulator;
  let bigquery: BigQuery;
  let datasets = 0;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "bigquery-"));
    emulator = await startBigQueryEmulator({ dataDir: join(dir, "data"), logFile: join(dir, "log"), project });
    bigquery = bigQueryClient({ project, endpoint: emulator.url });
  });
  after(async () => {
    await emulator?.stop();
    rmSync(dir, { recursive: true });
  });

  const freshDataset = async (): Promise<string> => {
    const dataset = `dataset_${++datasets}`;
    await setUpBigQuery(bigquery, { dataset });
    return dataset;
  };

  return {
    project,
    get bigquery() {
      return bigquery;
    },
    get emulator() {
      return emulator;
    },
    freshDataset,
    async datasetWithGeneration(settings = DEFAULT_SETTINGS) {
      const dataset = await freshDataset();
      await recordGeneration(bigquery, dataset, settings);
      return dataset;
    },
  };
}
