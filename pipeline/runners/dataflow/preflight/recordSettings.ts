import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  FIRST_GENERATION,
  GenerationSettingsError,
  readActiveGeneration,
  recordGeneration,
  requireGenerationSettings,
  timeZoneOf,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { NO_DIAGNOSTICS, problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { withTimeout } from "@eventlogger/process/wait";
import { generationSettings } from "../../../generationSettings";
import { newShardHashSecret, STATE_FORMAT } from "../../../shards";
import { runCheck } from "./runCheck";

export interface LaunchSettings {
  readonly project: string;
  readonly dataset: string;
  /** The subscription of generation 1. */
  readonly subscription: string;
  /** ms. Undefined: that of the active generation; {@link defaults} for a new dataset. */
  readonly sessionGapMs: number | undefined;
  /** IANA name. Undefined: as for the gap. */
  readonly timeZone: string | undefined;
  /** The definitions of a new dataset. */
  readonly defaults: { readonly sessionGapMs: number; readonly timeZone: string };
  /** The command that makes the numbers again with these definitions, for a shell. */
  readonly rebuildCommand: string;
  /** URL of a BigQuery emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Whether the job takes over the state of a running job, which belongs to the settings of the dataset. @default false */
  readonly update?: boolean | undefined;
  /** Time limit; ms. @default 10 s */
  readonly timeoutMs?: number;
}

/**
 * Records the definitions as generation 1, unless the dataset has an active generation.
 * @returns the active generation
 * @throws GenerationSettingsError when it has other definitions, and for the update of a job that recorded none, because its state has
 *   the first format
 */
async function recordedGeneration(options: LaunchSettings): Promise<Generation> {
  const { project, dataset, bigqueryEndpoint: endpoint, update, defaults } = options;
  const bigquery = bigQueryClient({ project, endpoint });
  const known = await readActiveGeneration(bigquery, dataset);
  if (!known && update) {
    throw new GenerationSettingsError(dataset, [
      "the running job is of a release that recorded no settings, and this release cannot resume from its state",
    ]);
  }
  const { sessionGapMs = defaults.sessionGapMs, timeZone = defaults.timeZone } = options;
  const generation =
    known ??
    (await recordGeneration(bigquery, dataset, settingsOf(sessionGapMs, timeZone, newShardHashSecret()), {
      subscription: options.subscription,
      replayTopic: null,
      replaySubscription: replaySubscription(options.subscription, FIRST_GENERATION),
    }));
  const { settings } = generation;
  const wanted = settingsOf(options.sessionGapMs ?? settings.sessionGapMs, options.timeZone ?? timeZoneOf(settings));
  requireGenerationSettings(dataset, generation, wanted);
  return generation;
}

function settingsOf(sessionGapMs: number, timeZone: string, secret?: string): ReturnType<typeof generationSettings> {
  return { ...generationSettings(sessionGapMs, secret), ...(timeZone !== "UTC" && { timeZone }), stateFormat: STATE_FORMAT };
}

function refusal(error: unknown, { rebuildCommand }: LaunchSettings): string {
  const reason = error instanceof Error ? error.message : String(error);
  return error instanceof GenerationSettingsError
    ? `${reason}. This command makes the numbers again with other definitions, beside the ones that readers see:\n  ${rebuildCommand}`
    : reason;
}

/**
 * The active generation of the dataset, with the secret of the hash in the keys of state. Records the definitions in a new dataset.
 * @throws Error when the dataset cannot be read, because with another secret a job would not find its state after an update; when its
 *   generation has other definitions; and when the state of its job has another format
 */
export async function requireGeneration(options: LaunchSettings): Promise<Generation> {
  const { dataset, timeoutMs = 30_000 } = options;
  const reading = `reading the settings of dataset ${dataset}`;
  try {
    return await withTimeout(recordedGeneration(options), timeoutMs, reading);
  } catch (error) {
    const reason = refusal(error, options);
    throw new Error(`Error ${reading}, on which the state of a job depends: ${reason}`, { cause: error });
  }
}

/**
 * Records the definitions of the job in the dataset, or compares them with those that are recorded. Never throws: without the
 * permission to change the table there is a warning, because the permission to launch a job does not imply it.
 */
export function recordSettings(options: LaunchSettings): Promise<Diagnostics> {
  const { project, dataset, timeoutMs = 10_000 } = options;
  return runCheck(`the settings of dataset ${dataset}`, { project, timeoutMs }, async () => {
    try {
      await recordedGeneration(options);
      return NO_DIAGNOSTICS;
    } catch (error) {
      if (error instanceof GenerationSettingsError) return problem(refusal(error, options));
      throw error;
    }
  });
}
