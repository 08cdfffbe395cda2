import { isSameTimeZone, UTC_NAME } from "@eventlogger/events/zone/zoneName";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  countsBots,
  FIRST_GENERATION,
  GenerationSettingsError,
  readActiveGeneration,
  recordGeneration,
  requireGenerationSettings,
  timeZoneOf,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { checkTimeZone } from "@eventlogger/gcp/bigquery/zone/checkTimeZone";
import { problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { withTimeout } from "@eventlogger/process/wait";
import { DEFAULT_GAP_MS, generationSettings } from "../../../generationSettings";
import { newShardHashSecret } from "../../../shards";
import { runCheck } from "./runCheck";

export interface LaunchSettings {
  readonly project: string;
  readonly dataset: string;
  /** The subscription of generation 1, for a new dataset. */
  readonly subscription: string;
  /** The command that makes the numbers again with these definitions, for a shell. */
  readonly rebuildCommand: string;
  /** ms. Undefined: that of the dataset; 30 minutes for a new one. */
  readonly sessionGapMs?: number | undefined;
  /** IANA name. Undefined: that of the dataset; UTC for a new one. */
  readonly timeZone?: string | undefined;
  /** Whether bots count. Undefined: as in the dataset; they do not in a new one. */
  readonly countBots?: boolean | undefined;
  /** URL of a BigQuery emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Whether the job takes over the state of a running job, which belongs to the settings of the dataset. @default false */
  readonly update?: boolean | undefined;
  /** Time limit; ms. @default 10 s */
  readonly timeoutMs?: number;
}

/**
 * Records the settings in the dataset, unless it has some.
 * @returns those of the dataset
 * @throws GenerationSettingsError for the update of a job that recorded none, because its state has the first format
 */
async function recordedGeneration(options: LaunchSettings): Promise<Generation> {
  const { project, dataset, sessionGapMs = DEFAULT_GAP_MS, timeZone, countBots, update } = options;
  const { bigqueryEndpoint: endpoint } = options;
  const bigquery = bigQueryClient({ project, endpoint });
  if (update && !(await readActiveGeneration(bigquery, dataset))) {
    throw new GenerationSettingsError(dataset, [
      "the running job is of a release that recorded no settings, and this release cannot resume from its state",
    ]);
  }
  const settings = generationSettings(sessionGapMs, newShardHashSecret(), timeZone, countBots);
  return recordGeneration(bigquery, dataset, settings, {
    subscription: options.subscription,
    replayTopic: null,
    replaySubscription: replaySubscription(options.subscription, FIRST_GENERATION),
  });
}

/**
 * The settings of the dataset, which those of the launch must not contradict.
 * @throws GenerationSettingsError
 */
function requireSettings({ dataset, sessionGapMs, timeZone, countBots }: LaunchSettings, generation: Generation): void {
  const { settings } = generation;
  const recordedZone = timeZoneOf(settings);
  const isSameZone = timeZone === undefined || isSameTimeZone(timeZone, recordedZone);
  const wanted = generationSettings(
    sessionGapMs ?? settings.sessionGapMs,
    undefined,
    isSameZone ? recordedZone : timeZone,
    countBots ?? countsBots(settings),
  );
  requireGenerationSettings(dataset, generation, wanted);
}

/** The reason, with the command that makes the numbers again when the definitions differ. */
function reasonOf(error: unknown, { rebuildCommand }: LaunchSettings): string {
  const reason = error instanceof Error ? error.message : String(error);
  return error instanceof GenerationSettingsError
    ? `${reason}. This command makes the numbers again, beside the ones that readers see:\n  ${rebuildCommand}`
    : reason;
}

/**
 * The active generation, with the secret of the hash in the keys of state. Records it in a new dataset.
 * @throws Error when the dataset cannot be read, because with another secret a job would not find its state after an update, and
 *   when the launch has other settings, or the state of the dataset's job another format
 */
export async function requireGeneration(options: LaunchSettings): Promise<Generation> {
  const { dataset, timeoutMs = 30_000 } = options;
  const reading = `reading the settings of dataset ${dataset}`;
  try {
    const generation = await withTimeout(recordedGeneration(options), timeoutMs, reading);
    requireSettings(options, generation);
    return generation;
  } catch (error) {
    const reason = reasonOf(error, options);
    throw new Error(`Error ${reading}, on which the state of a job depends: ${reason}`, { cause: error });
  }
}

/** The problem and warnings of the settings. @param record records the settings of a new dataset; undefined: they are not recorded */
function settingsDiagnostics(
  options: LaunchSettings,
  record: ((options: LaunchSettings) => Promise<Generation>) | undefined,
): Promise<Diagnostics> {
  const { project, dataset, bigqueryEndpoint: endpoint, timeoutMs = 10_000 } = options;
  return runCheck(settingsCheckName(dataset), { project, timeoutMs }, async () => {
    const bigquery = bigQueryClient({ project, endpoint });
    try {
      const recorded = await readActiveGeneration(bigquery, dataset);
      const timeZone = recorded ? timeZoneOf(recorded.settings) : (options.timeZone ?? UTC_NAME);
      const found = await checkTimeZone((sql) => runQuery(bigquery, sql), timeZone);
      const generation = found.problems.length === 0 && record ? await record(options) : recorded;
      if (found.problems.length === 0 && generation) requireSettings(options, generation);
      return found;
    } catch (error) {
      if (error instanceof GenerationSettingsError) return problem(reasonOf(error, options));
      throw error;
    }
  });
}

/** What the check of the settings checks, for messages. */
export function settingsCheckName(dataset: string): string {
  return `the settings of dataset ${dataset}`;
}

/**
 * Records the settings of the job in the dataset, or compares them with those that are recorded. Checks that BigQuery knows the time
 * zone. Never throws: without the
 * permission to change the table there is a warning, because the permission to launch a job does not imply it.
 */
export function recordSettings(options: LaunchSettings): Promise<Diagnostics> {
  return settingsDiagnostics(options, recordedGeneration);
}

/** As {@link recordSettings}, but writes nothing: the settings of a new dataset are not recorded. */
export function checkSettings(options: LaunchSettings): Promise<Diagnostics> {
  return settingsDiagnostics(options, undefined);
}
