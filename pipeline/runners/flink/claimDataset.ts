import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { BigQuery } from "@google-cloud/bigquery";
import {
  recordGeneration,
  replaceGenerationSettings,
  requireGenerationSettings,
  type GenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { LeaseHeldError, RunLease, type LeaseRequest, type LeaseTimes } from "@eventlogger/gcp/bigquery/runLease";
import type { StateDirectory } from "./stateDirectory";

/** Ids of earlier runs that are kept in case BigQuery answers none of many starts. */
const KEPT_LEASES = 20;

export interface ClaimOptions extends Pick<LeaseRequest, "bigquery" | "dataset" | "onTrouble"> {
  readonly state: StateDirectory;
  readonly settings: GenerationSettings;
  /** Whether the run starts with empty state, so that it may change the settings of the dataset. */
  readonly fresh: boolean;
  readonly times?: LeaseTimes;
}

/**
 * Takes the lease of a dataset for a run, then records the settings, or compares them with those of the dataset.
 *
 * The id of the run is kept in the state directory. Its lock proves that an earlier run on it has ended, so that a run takes
 * over at once after a kill.
 * @throws LeaseHeldError, GenerationSettingsError; Error that names the missing permission, or the client's error
 */
export async function claimDataset({ state, settings, fresh, ...request }: ClaimOptions): Promise<RunLease> {
  const { bigquery, dataset } = request;
  await recordGeneration(bigquery, dataset, settings);
  const lease = await takeLease(state, request);
  try {
    await useSettings(bigquery, dataset, settings, fresh);
    return lease;
  } catch (error) {
    await lease.release(() => {});
    throw error;
  }
}

async function takeLease(
  state: StateDirectory,
  request: Pick<ClaimOptions, "bigquery" | "dataset" | "onTrouble" | "times">,
): Promise<RunLease> {
  const run = randomUUID();
  const ended = state.leases;
  const [confirmed, ...attempted] = ended;
  state.recordLeases([...(confirmed === undefined ? [] : [confirmed]), ...attempted.slice(-KEPT_LEASES), run]);
  try {
    const lease = await RunLease.take({ ...request, run, holder: `${hostname()}:${process.pid}`, ended });
    state.recordLeases([run]);
    return lease;
  } catch (error) {
    if (error instanceof LeaseHeldError) state.recordLeases(ended);
    throw error;
  }
}

/** Compares the settings with those of the dataset; a run with empty state may replace them. */
async function useSettings(
  bigquery: BigQuery,
  dataset: string,
  settings: GenerationSettings,
  fresh: boolean,
): Promise<void> {
  const generation = await recordGeneration(bigquery, dataset, settings);
  try {
    requireGenerationSettings(dataset, generation, settings);
  } catch (error) {
    if (!fresh) throw error;
    await replaceGenerationSettings(bigquery, dataset, settings);
  }
}
