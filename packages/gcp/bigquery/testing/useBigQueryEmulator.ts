import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BigQuery } from "@google-cloud/bigquery";
import { startBigQueryEmulator, type BigQueryEmulator } from "../../emulators/emulators";
import { bigQueryClient } from "../client";
import { setUpBigQuery } from "../setup/setUpBigQuery";

export interface EmulatorFixture {
  readonly project: string;
  readonly bigquery: BigQuery;
  readonly emulator: BigQueryEmulator;
  /** Creates a dataset with all tables and views. @returns its name */
  freshDataset(): Promise<string>;
}

/** Runs a BigQuery emulator for the tests of the enclosing `describe`. */
export function useBigQueryEmulator(): EmulatorFixture {
  const project = "demo-project";
  let dir: string;
  let emulator: BigQueryEmulator;
  let bigquery: BigQuery;
  let datasets = 0;

  before(async function () {
    this.timeout(300_000); // the first run installs the emulator
    dir = mkdtempSync(join(tmpdir(), "bigquery-"));
    emulator = await startBigQueryEmulator({ dataDir: join(dir, "data"), logFile: join(dir, "log"), project });
    bigquery = bigQueryClient({ project, endpoint: emulator.url });
  });
  after(async () => {
    await emulator?.stop();
    rmSync(dir, { recursive: true });
  });

  return {
    project,
    get bigquery() {
      return bigquery;
    },
    get emulator() {
      return emulator;
    },
    async freshDataset() {
      const dataset = `dataset_${++datasets}`;
      await setUpBigQuery(bigquery, { dataset });
      return dataset;
    },
  };
}
