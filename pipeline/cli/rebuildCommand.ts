import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { flagName, formatDuration } from "@eventlogger/options/options";

/** A word of a command line for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The options that name the numbers to make again. */
export interface RebuildTarget {
  readonly project: string;
  readonly dataset: string;
  readonly subscription: string;
  readonly bigqueryEndpoint?: string | undefined;
  /** `--state-dir`; undefined for Dataflow. */
  readonly stateDir?: string | undefined;
  /** Undefined: flink. The options after it are those of a launch on Dataflow. */
  readonly runner?: string | undefined;
  readonly region?: string | undefined;
  readonly tempLocation?: string | undefined;
  readonly image?: string | undefined;
}

export interface RebuildChanges {
  /** ms. */
  readonly sessionGapMs?: number | undefined;
  /** IANA name. */
  readonly timeZone?: string | undefined;
  readonly countBots?: boolean | undefined;
  readonly takeOver?: boolean | undefined;
}

const DEFAULTS: Readonly<Record<keyof RebuildTarget, string | undefined>> = {
  project: projectOption.project.default,
  dataset: bigqueryOptions.dataset.default,
  subscription: pubsubOptions.subscription.default,
  bigqueryEndpoint: undefined,
  stateDir: ".eventlogger",
  runner: "flink",
  region: undefined,
  tempLocation: undefined,
  image: undefined,
};

/** The command line that makes the numbers again, for a shell. Options with their default are left out. */
export function rebuildCommand(target: RebuildTarget, changes: RebuildChanges): string {
  const { sessionGapMs, timeZone, countBots, takeOver } = changes;
  const words = ["eventlogger", "rebuild"];
  for (const key of Object.keys(DEFAULTS) as (keyof RebuildTarget)[]) {
    const value = target[key];
    if (value !== undefined && value !== DEFAULTS[key]) words.push(flagName(key), value);
  }
  if (sessionGapMs !== undefined) words.push("--session-gap", formatDuration(sessionGapMs));
  if (timeZone !== undefined) words.push("--time-zone", timeZone);
  if (countBots !== undefined) words.push(countBots ? "--count-bots" : "--count-bots=false");
  if (takeOver) words.push("--take-over");
  return words.map(shellQuote).join(" ");
}
