import {
  countsBots,
  timeZoneOf,
  type Generation,
  type GenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import { formatDuration } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import type { RebuildRecord } from "./record";

/** The definitions of the new numbers, as far as the command line names them. */
export interface WantedDefinitions {
  readonly sessionGapMs: number | undefined;
  /** IANA name. */
  readonly timeZone: string | undefined;
  readonly countBots?: boolean | undefined;
  /** YYYY-MM-DD. */
  readonly from: string | undefined;
  readonly keepOld: boolean | undefined;
  readonly takeOver: boolean | undefined;
  /** Whether the numbers may be computed although rows of `events` are deleted. @default false */
  readonly acceptDeletedRows?: boolean | undefined;
}

/** The command names other definitions than the rebuild that it would go on with. Use those, or abort that rebuild. */
export class DefinitionsDifferError extends UserError {
  constructor(generation: number, differences: readonly string[]) {
    super(
      `A rebuild of generation ${generation} is unfinished, with other definitions: ${differences.join("; ")}. ` +
        "Go on with it: `eventlogger rebuild` without these options. Or remove it first: `eventlogger rebuild --abort`",
    );
    this.name = "DefinitionsDifferError";
  }
}

/**
 * Compares the definitions of a command with those of the unfinished rebuild. Options that the command does not name are those of the
 * rebuild.
 * @throws DefinitionsDifferError that names both values of each difference
 */
export function requireDefinitions(generation: Generation, record: RebuildRecord, wanted: WantedDefinitions): void {
  const differences: string[] = [];
  const compare = (flag: string, building: string, given: string | undefined): void => {
    if (given !== undefined && given !== building) differences.push(`${flag} is ${building} there, but ${given} here`);
  };
  const { sessionGapMs } = generation.settings;
  const duration = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : formatDuration(ms));
  const yesNo = (value: boolean | undefined): string | undefined =>
    value === undefined ? undefined : value ? "set" : "not set";
  compare("--session-gap", formatDuration(sessionGapMs), duration(wanted.sessionGapMs));
  compare("--time-zone", timeZoneOf(generation.settings), wanted.timeZone);
  compare("--count-bots", yesNo(countsBots(generation.settings)) as string, yesNo(wanted.countBots));
  compare("--from", record.from ?? "not set", wanted.from);
  compare("--keep-old", yesNo(record.keepOld) as string, yesNo(wanted.keepOld));
  compare("--take-over", yesNo(record.takeOver) as string, yesNo(wanted.takeOver));
  if (differences.length) throw new DefinitionsDifferError(generation.generation, differences);
}

/** The settings of a new generation: those of the active one, with what the command changes. */
export function newSettings(
  active: GenerationSettings,
  wanted: Pick<WantedDefinitions, "sessionGapMs" | "timeZone" | "countBots">,
  made: { readonly shardHashSecret: string; readonly stateFormat: number },
): GenerationSettings {
  const timeZone = wanted.timeZone ?? active.timeZone;
  const countBots = wanted.countBots ?? active.countBots;
  return {
    sessionGapMs: wanted.sessionGapMs ?? active.sessionGapMs,
    ...(timeZone !== undefined && { timeZone }),
    ...(countBots !== undefined && { countBots }),
    ...made,
  };
}
