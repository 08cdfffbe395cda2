import { setTimeout as sleep } from "node:timers/promises";
import { LeaseHeldError } from "@eventlogger/gcp/bigquery/runLease";
import { StateDirectoryInUseError } from "../../runners/flink/stateDirectory";
import { checkSourceAndSinks } from "./checkSourceAndSinks";
import { runGeneration, type GenerationRun } from "./runGeneration";
import type { RunOptions } from "./runOptions";

/** Wait until the next attempt to go on with a generation that another run still computes; ms. */
const RETRY_MS = 2000;

export interface FollowRequest extends Omit<GenerationRun, "chosen"> {
  /** Prints a note. */
  readonly say: (text: string) => void;
}

/** The options for a generation that a run goes on with: its definitions are not those of the command line. */
function optionsToGoOn(options: RunOptions): RunOptions {
  return {
    ...options,
    ...{ sessionGap: undefined, timeZone: undefined, countBots: undefined, restoreFrom: undefined },
    ...{ fresh: false, acceptWrongNumbers: false },
  };
}

/** Whether another run, which is about to end, still computes the generation. */
const isBusy = (error: unknown): error is Error =>
  error instanceof StateDirectoryInUseError || error instanceof LeaseHeldError;

/**
 * Runs the pipeline of the chosen generation on Flink until a signal arrives. Without `--generation`, goes on with the active
 * generation whenever the one that it computes is retired.
 * @throws the errors of `checkSourceAndSinks` and {@link runGeneration}
 */
export async function followGenerations({ say, ...request }: FollowRequest): Promise<void> {
  const { bigquery, warn, stopped } = request;
  let { options } = request;
  let isFollowing = false;
  let hasWaited = false;
  for (;;) {
    const { chosen, warnings } = await checkSourceAndSinks(bigquery, options);
    for (const warning of warnings) warn(warning);
    if (isFollowing && !hasWaited) say(`generation ${chosen.generation} is active now`);
    try {
      if ((await runGeneration({ ...request, options, chosen })) === "stopped") return;
    } catch (error) {
      // A rebuild computes the new generation until its pipeline has stopped.
      if (!isFollowing || !isBusy(error)) throw error;
      if (!hasWaited)
        say(`waiting for the end of the run that computes generation ${chosen.generation}: ${error.message}`);
      hasWaited = true;
      if (await Promise.race([stopped, sleep(RETRY_MS)])) return;
      continue;
    }
    if (options.generation !== undefined) return;
    options = optionsToGoOn(options);
    isFollowing = true;
    hasWaited = false;
  }
}
