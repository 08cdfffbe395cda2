import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  FIRST_GENERATION,
  recordGeneration,
  replaceGenerationSettings,
  requireGenerationSettings,
  readGeneration,
  recordJob,
  recordResources,
  type Generation,
  type GenerationResources,
  type GenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { LeaseHeldError, RunLease, type LeaseRequest, type LeaseTimes } from "@eventlogger/gcp/bigquery/runLease";
import { newShardHashSecret } from "../../shards";
import type { StateDirectory } from "./stateDirectory";

/** Ids of earlier runs that are kept in case BigQuery answers none of many starts. */
const KEPT_LEASES = 20;

export interface ClaimOptions extends Pick<
  LeaseRequest,
  "bigquery" | "dataset" | "generation" | "onTrouble" | "watermark"
> {
  /** What the run reads, for the first generation, which it creates. @default unknown */
  readonly resources?: GenerationResources;
  readonly state: StateDirectory;
  /** Without the secret of the hash in the keys of state, which {@link claimDataset} determines. */
  readonly settings: Omit<GenerationSettings, "shardHashSecret">;
  /** Whether the run starts with empty state, so that it may change the settings of the generation. */
  readonly fresh: boolean;
  readonly times?: LeaseTimes;
}

/**
 * Takes the lease of a generation for a run, then records the settings, or compares them with those of the generation. Creates the
 * first generation of a dataset.
 *
 * Also determines the secret of the hash in the keys of state: that of the state in the directory, which must be found again, or, for empty
 * state, that of the generation, or a new one. The directory and the generation keep it.
 *
 * The id of the run is kept in the state directory. Its lock proves that an earlier run on it has ended, so that a run takes
 * over at once after a kill.
 * @throws LeaseHeldError, GenerationUnavailableError, GenerationSettingsError; Error that names the missing permission, or the client's error
 */
export async function claimDataset({ state, settings, resources, fresh, ...request }: ClaimOptions): Promise<RunLease> {
  const { bigquery, dataset, generation } = request;
  const hasState = !fresh && state.hasState();
  const secret = hasState ? state.shardHashSecret : newShardHashSecret();
  const wanted: GenerationSettings = { ...settings, ...(secret !== undefined && { shardHashSecret: secret }) };
  if (generation === FIRST_GENERATION) await recordGeneration(bigquery, dataset, wanted, resources);
  const lease = await takeLease(state, request);
  try {
    const used = await useSettings(request, wanted, { fresh, hasState });
    state.setShardHashSecret(used);
    const job = { runner: "flink", stateDirectory: state.directory, host: hostname() } as const;
    await recordJob(bigquery, dataset, generation, job);
    if (resources) await recordResources(bigquery, dataset, generation, resources);
    return lease;
  } catch (error) {
    await lease.release(() => {});
    throw error;
  }
}

async function takeLease(
  state: StateDirectory,
  request: Pick<ClaimOptions, "bigquery" | "dataset" | "generation" | "onTrouble" | "watermark" | "times">,
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

/**
 * Compares the settings with those of the generation; a run with empty state may replace them.
 * @returns the secret of the hash in the keys of state
 */
async function useSettings(
  { bigquery, dataset, generation: id }: Pick<ClaimOptions, "bigquery" | "dataset" | "generation">,
  wanted: GenerationSettings,
  { fresh, hasState }: { readonly fresh: boolean; readonly hasState: boolean },
): Promise<string | undefined> {
  const generation = (await readGeneration(bigquery, dataset, id)) as Generation; // its lease is held
  const recorded = generation.settings.shardHashSecret;
  const secret = hasState ? wanted.shardHashSecret : (recorded ?? wanted.shardHashSecret);
  let isDifferent = secret !== recorded;
  try {
    requireGenerationSettings(dataset, generation, wanted);
  } catch (error) {
    if (!fresh) throw error;
    isDifferent = true;
  }
  if (isDifferent) await replaceGenerationSettings(bigquery, dataset, id, { ...wanted, shardHashSecret: secret });
  return secret;
}
