import type { BigQuery } from "@google-cloud/bigquery";
import { isSameTimeZone } from "@eventlogger/events/zone/zoneName";
import {
  countsBots,
  FIRST_GENERATION,
  readActiveGeneration,
  readGeneration,
  timeZoneOf,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { GenerationUnavailableError } from "@eventlogger/gcp/bigquery/runLease";
import { liveSubscription, replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { formatDuration } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { DEFAULT_DEFINITIONS } from "../definitionOptions";
import { rebuildCommand, type RebuildTarget } from "../rebuildCommand";

/** The options of a run that decide which generation it computes, and how. */
export interface GenerationChoice extends RebuildTarget {
  /** Undefined: the active one. */
  readonly generation: number | undefined;
  /** ms; undefined: that of the generation. */
  readonly sessionGap: number | undefined;
  /** IANA name; undefined: that of the generation. */
  readonly timeZone: string | undefined;
  /** Undefined: as the generation. */
  readonly countBots: boolean | undefined;
  /** Whether the run starts with empty state, and so may change the definitions. */
  readonly fresh: boolean;
}

/** The generation that a run computes. */
export interface ChosenGeneration {
  readonly generation: number;
  /** Its row; undefined: the run is the first one of the dataset, and creates the generation. */
  readonly row: Generation | undefined;
  readonly sessionGapMs: number;
  readonly timeZone: string;
  readonly countBots: boolean;
  readonly subscription: string;
  readonly replaySubscription: string;
}

/** The run was started with other definitions than those of the generation. The message has the command that makes the numbers again. */
export class DefinitionsDifferError extends UserError {
  constructor(dataset: string, generation: number, differences: readonly string[], command: string) {
    super(
      `The numbers of generation ${generation} in dataset ${dataset} have other definitions: ${differences.join("; ")}. ` +
        "Start without these options to go on with it. Or make the numbers again with the new definitions, beside the ones that " +
        `readers see meanwhile:\n  ${command}`,
    );
    this.name = "DefinitionsDifferError";
  }
}

/**
 * Chooses the generation of a run, with its definitions and its subscriptions.
 * @throws GenerationUnavailableError, DefinitionsDifferError; UserError for another subscription than that of the generation; Error that
 *   names the missing permission, or the client's error
 */
export async function chooseGeneration(bigquery: BigQuery, choice: GenerationChoice): Promise<ChosenGeneration> {
  const { dataset, generation: wanted, subscription, fresh } = choice;
  const row =
    wanted === undefined
      ? await readActiveGeneration(bigquery, dataset)
      : await readGeneration(bigquery, dataset, wanted);
  if (!row && wanted !== undefined && wanted !== FIRST_GENERATION) {
    throw new GenerationUnavailableError(dataset, wanted, "does not exist");
  }
  if (row?.status === "retired") {
    throw new GenerationUnavailableError(dataset, row.generation, `was retired at ${row.retiredAt}`);
  }
  if (row && !fresh) requireDefinitions(row, choice);
  const generation = row?.generation ?? FIRST_GENERATION;
  const recorded = row?.settings;
  return {
    generation,
    row,
    sessionGapMs: choice.sessionGap ?? recorded?.sessionGapMs ?? DEFAULT_DEFINITIONS.sessionGapMs,
    timeZone: zoneOf(row, choice),
    countBots: choice.countBots ?? (recorded ? countsBots(recorded) : DEFAULT_DEFINITIONS.countBots),
    subscription: fresh ? liveSubscription(subscription, generation) : subscriptionOf(row, generation, choice),
    replaySubscription: row?.replaySubscription ?? replaySubscription(subscription, generation),
  };
}

/** The name of the zone that the generation has: the state keeps it, and a zone has several names. */
function zoneOf(row: Generation | undefined, { timeZone, fresh }: GenerationChoice): string {
  if (row && (!fresh || timeZone === undefined)) return timeZoneOf(row.settings);
  return timeZone ?? DEFAULT_DEFINITIONS.timeZone;
}

/** @throws DefinitionsDifferError */
function requireDefinitions({ generation, settings }: Generation, choice: GenerationChoice): void {
  const { sessionGap, timeZone, countBots } = choice;
  const differences: string[] = [];
  const gapMs = sessionGap === settings.sessionGapMs ? undefined : sessionGap;
  if (gapMs !== undefined) {
    const [recorded, wanted] = [settings.sessionGapMs, gapMs].map(formatDuration);
    differences.push(`the session gap is ${recorded}, not ${wanted} (--session-gap)`);
  }
  const zone = timeZone !== undefined && isSameTimeZone(timeZone, timeZoneOf(settings)) ? undefined : timeZone;
  if (zone !== undefined) {
    differences.push(`the time zone is ${timeZoneOf(settings)}, not ${zone} (--time-zone)`);
  }
  const bots = countBots === countsBots(settings) ? undefined : countBots;
  if (bots !== undefined) differences.push(`bots ${bots ? "do not count" : "count"} (--count-bots)`);
  if (differences.length === 0) return;
  const command = rebuildCommand(choice, { sessionGapMs: gapMs, timeZone: zone, countBots: bots });
  throw new DefinitionsDifferError(choice.dataset, generation, differences, command);
}

/** The live subscription of a generation. @throws UserError when the generation reads one that `--subscription` does not name */
function subscriptionOf(row: Generation | undefined, generation: number, { subscription }: GenerationChoice): string {
  const recorded = row?.subscription;
  if (recorded === null || recorded === undefined) return liveSubscription(subscription, generation);
  // After `rebuild --take-over`, a generation reads the subscription of an earlier one.
  const names = Array.from({ length: generation }, (_, i) => liveSubscription(subscription, i + 1));
  if (names.includes(recorded)) return recorded;
  throw new UserError(
    `Generation ${generation} reads subscription ${recorded}, not ${subscription} (--subscription). Start with its subscription: ` +
      "another one has other messages, so that events would be missing in the numbers",
  );
}
